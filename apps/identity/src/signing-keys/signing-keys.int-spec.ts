import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Secret } from '@soma/kernel';
import { migrate } from '@soma/migrations';
import { createDataSource, SweepTransaction } from '@soma/persistence';
import { Envelope } from '@soma/secrets';
import { createTestDatabase, type TestDatabase } from '@soma/testing';
import { SigningKeys } from './signing-keys.ts';

describe('SigningKeys', () => {
  const running = new AsyncDisposableStack();
  const envelope = new Envelope(new Secret(randomBytes(32).toString('base64')));
  let database: TestDatabase;

  beforeAll(async () => {
    database = running.use(await createTestDatabase());
    await migrate(new Secret(database.ownerUrl));
  });
  afterAll(() => running.disposeAsync());

  /** Each pod has connections of its own, opened before it looks for keys. */
  async function startPod(): Promise<SigningKeys> {
    const url = new Secret(await database.loginUrl('identity'));
    const dataSource = await createDataSource({ url }).initialize();
    running.defer(() => dataSource.destroy());
    return new SigningKeys(new SweepTransaction(dataSource, 'none'), envelope);
  }

  it('makes one key, however many pods start at once', async () => {
    const pods = await Promise.all(Array.from({ length: 8 }, startPod));

    const loaded = await Promise.all(pods.map((pod) => pod.load()));

    expect(new Set(loaded.map(([key]) => key.kid)).size).toBe(1);
    expect(await database.execute('SELECT kid FROM identity.signing_keys')).toHaveLength(1);
  });

  it('signs with the newest key and keeps the older ones', async () => {
    const [before] = await (await startPod()).load();
    const newer = { ...before, kid: 'newer' };
    const sealed = envelope.seal(new Secret(JSON.stringify(newer)), [
      'identity.signing_keys',
      'newer',
    ]);
    await database.execute(
      `INSERT INTO identity.signing_keys (kid, sealed_jwk, signs_from)
       VALUES ($1, $2, clock_timestamp())`,
      ['newer', sealed],
    );

    const keys = await (await startPod()).load();

    expect(keys.map(({ kid }) => kid)).toEqual(['newer', before.kid]);
  });

  it('refuses a key that was moved to another name', async () => {
    await database.execute("UPDATE identity.signing_keys SET kid = 'moved' WHERE kid = 'newer'");

    await expect((await startPod()).load()).rejects.toThrow('does not open');
  });

  it('lets the service add keys and change none', async () => {
    const rights = await database.execute(
      `SELECT privilege_type FROM information_schema.role_table_grants
       WHERE grantee = 'identity' AND table_name = 'signing_keys' ORDER BY 1`,
    );

    expect(rights.map(({ privilege_type }) => privilege_type)).toEqual(['INSERT', 'SELECT']);
  });
});
