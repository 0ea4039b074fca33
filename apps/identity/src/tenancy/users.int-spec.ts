import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Secret } from '@soma/kernel';
import { migrate } from '@soma/migrations';
import { openDataSource, SweepTransaction } from '@soma/persistence';
import { createTestDatabase, type TestDatabase } from '@soma/testing';
import { Members } from './members.ts';
import { Users } from './users.ts';

describe('people', () => {
  const running = new AsyncDisposableStack();
  let database: TestDatabase;
  let users: Users;
  let members: Members;

  beforeAll(async () => {
    database = running.use(await createTestDatabase());
    await migrate(new Secret(database.ownerUrl));
    const url = new Secret(await database.loginUrl('identity'));
    const dataSource = await openDataSource({ url });
    running.defer(() => dataSource.destroy());
    const sweep = new SweepTransaction(dataSource, 'identity_sweep');
    users = new Users(sweep);
    members = new Members(sweep);
  });
  afterAll(() => running.disposeAsync());

  it('are found by id and by address, whatever its case', async () => {
    const ann = await users.create({ email: 'Ann@Example.com', display_name: 'Ann' });

    expect(ann).toMatchObject({ email: 'ann@example.com', email_verified_at: expect.any(Date) });
    expect(await users.find(ann.user_id)).toEqual(ann);
    expect(await users.findByEmail('ANN@example.com')).toEqual(ann);
    expect(await users.findByEmail('bob@example.com')).toBeUndefined();
  });

  it('have an address of their own, also when two are made at once', async () => {
    const eve = { email: 'eve@example.com', display_name: 'Eve' };

    const made = await Promise.allSettled([users.create(eve), users.create(eve)]);

    expect(made.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await expect(users.create(eve)).rejects.toMatchObject({ status: 409, code: 'user_exists' });
  });

  it('are members of several tenants', async () => {
    const { user_id } = await users.create({ email: 'mia@example.com', display_name: 'Mia' });
    for (const [tenant, role] of [
      ['globex', 'viewer'],
      ['acme', 'owner'],
    ]) {
      await database.execute(`INSERT INTO identity.tenants (tenant_id, name) VALUES ($1, $1)`, [
        tenant,
      ]);
      await database.execute(
        `INSERT INTO identity.members (tenant_id, user_id, role) VALUES ($1, $2, $3)`,
        [tenant, user_id, role],
      );
    }

    expect(await members.ofUser(user_id)).toEqual([
      { tenant_id: 'acme', role: 'owner' },
      { tenant_id: 'globex', role: 'viewer' },
    ]);
  });
});
