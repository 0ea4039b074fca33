import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret } from '@soma/kernel';
import { migrate } from '@soma/migrations';
import { createTestDatabase, type TestDatabase, until } from '@soma/testing';
import { runCommand } from './commands.ts';
import { SigningKeys } from './signing-keys.ts';

describe('npm run keys', () => {
  const running = new AsyncDisposableStack();
  let database: TestDatabase;
  let keys: SigningKeys;
  let printed: unknown[];

  beforeAll(async () => {
    database = running.use(await createTestDatabase());
    await migrate(new Secret(database.ownerUrl));
    const url = new Secret(await database.loginUrl('identity'));
    keys = running.use(await SigningKeys.open({ url }));
  });
  beforeEach(async () => {
    printed = [];
    await database.execute('TRUNCATE identity.signing_keys, identity.key_rotations');
  });
  afterAll(() => running.disposeAsync());

  const run = (command?: string, waitMs = 10_000) =>
    runCommand(keys, command, { print: (value) => printed.push(value), waitMs });

  const insert = (kid: string, signsInSeconds: number) =>
    database.execute(
      `INSERT INTO identity.signing_keys (kid, sealed_jwk, signs_from)
       VALUES ($1, 'sealed', clock_timestamp() + make_interval(secs => $2))`,
      [kid, signsInSeconds],
    );

  it('lists the keys and what they do, and nothing secret', async () => {
    await insert('old', -100);
    await insert('now', -10);
    await insert('next', 360);

    await run('list');

    expect(printed).toMatchObject([
      { kid: 'old', state: 'verifies', kept_in: 'database' },
      { kid: 'now', state: 'signs' },
      { kid: 'next', state: 'waits' },
    ]);
    expect(JSON.stringify(printed)).not.toContain('sealed');
  });

  it('asks for a key and says which one was made', async () => {
    await insert('now', -10);

    const rotating = run('rotate');
    // What a pod of identity does.
    await until(
      async () => (await database.execute('SELECT FROM identity.key_rotations')).length > 0,
    );
    await insert('next', 360);
    await rotating;

    expect(printed).toMatchObject([{ kid: 'next', state: 'waits' }]);
    const [wish] = await database.execute('SELECT requested_by FROM identity.key_rotations');
    expect(wish?.['requested_by']).toMatch(/^cli:.+@.+/);
  });

  it('says that nobody made the key, and leaves the wish', async () => {
    await insert('now', -10);

    await expect(run('rotate', 100)).rejects.toThrow('No pod of identity has made the key yet');

    expect(await database.execute('SELECT FROM identity.key_rotations')).toHaveLength(1);
  });

  it('refuses while another key is waiting', async () => {
    await insert('next', 360);

    await expect(run('rotate')).rejects.toThrow('The key next waits to sign');
    expect(await database.execute('SELECT FROM identity.key_rotations')).toHaveLength(0);
  });

  it('shows how it is used', async () => {
    await expect(run()).rejects.toThrow('Usage:');
    await expect(run('delete')).rejects.toThrow('Usage:');
  });
});
