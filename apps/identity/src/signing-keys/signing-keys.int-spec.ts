import { generateKeyPairSync, randomBytes, verify } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret } from '@soma/kernel';
import { migrate } from '@soma/migrations';
import { openDataSource, SweepTransaction, TenantTransaction } from '@soma/persistence';
import { Envelope } from '@soma/secrets';
import { createTestDatabase, type TestDatabase } from '@soma/testing';
import { AuditLog } from '../audit/audit-log.ts';
import { DatabaseKeys } from './database-keys.ts';
import { KeyRing } from './key-ring.ts';
import type { KeyLifetimes } from './key-schedule.ts';
import { SigningKeys } from './signing-keys.ts';

const HOUR_MS = 3_600_000;
const lifetimes: KeyLifetimes = {
  publishLeadMs: HOUR_MS,
  tokenLifeMs: HOUR_MS,
  rotateEveryMs: 90 * 24 * HOUR_MS,
};

describe('SigningKeys', () => {
  const running = new AsyncDisposableStack();
  const envelope = new Envelope(new Secret(randomBytes(32).toString('base64')));
  let database: TestDatabase;

  beforeAll(async () => {
    database = running.use(await createTestDatabase());
    await migrate(new Secret(database.ownerUrl));
  });
  beforeEach(() => database.execute('TRUNCATE identity.signing_keys, identity.key_rotations'));
  afterAll(() => running.disposeAsync());

  /** Each pod has connections of its own, opened before it looks for keys. */
  async function startPod(): Promise<SigningKeys> {
    const url = new Secret(await database.loginUrl('identity'));
    const dataSource = await openDataSource({ url });
    running.defer(() => dataSource.destroy());
    return new SigningKeys(
      new SweepTransaction(dataSource, 'identity_sweep'),
      new TenantTransaction(dataSource),
      new AuditLog(),
      new DatabaseKeys(envelope),
      lifetimes,
      'soma',
    );
  }

  /** As if all of it had been so much earlier. */
  async function pass(ms: number): Promise<void> {
    for (const change of [
      'identity.signing_keys SET created_at = created_at - time, signs_from = signs_from - time',
      'identity.key_rotations SET requested_at = requested_at - time',
    ]) {
      await database.execute(`UPDATE ${change.replaceAll('time', 'make_interval(secs => $1)')}`, [
        ms / 1000,
      ]);
    }
  }

  const request = () =>
    database.execute('INSERT INTO identity.key_rotations (rotation_id) VALUES (gen_random_uuid())');

  async function current(pod: SigningKeys): Promise<{ signing: string; published: string[] }> {
    const { signing, published } = (await KeyRing.open(pod, lifetimes)).now();
    return { signing: signing.kid, published: published.map(({ kid }) => kid) };
  }

  it('makes one key, however many pods start at once, and it signs at once', async () => {
    const pods = await Promise.all(Array.from({ length: 8 }, startPod));

    const loaded = await Promise.all(pods.map(current));

    expect(new Set(loaded.map(({ signing }) => signing)).size).toBe(1);
    expect(await database.execute('SELECT kid FROM identity.signing_keys')).toHaveLength(1);
  });

  it('publishes a key that was asked for before it signs, on every pod', async () => {
    const pods = await Promise.all(Array.from({ length: 4 }, startPod));
    const { signing: before } = await current(pods[0] ?? fail());
    await request();

    const pending = await Promise.all(pods.map(current));
    await pass(HOUR_MS + 1);
    const after = await Promise.all(pods.map(current));

    const next = after[0]?.signing;
    expect(next).not.toBe(before);
    expect(pending).toEqual(pods.map(() => ({ signing: before, published: [before, next] })));
    expect(after).toEqual(pods.map(() => ({ signing: next, published: [before, next] })));
    await pass(HOUR_MS);
    expect(await current(pods[1] ?? fail())).toEqual({ signing: next, published: [next] });
  });

  it('signs with another key at once when the one that signs was deleted', async () => {
    const pod = await startPod();
    const { signing: leaked } = await current(pod);
    await request();
    await pod.load();

    await database.execute('DELETE FROM identity.signing_keys WHERE kid = $1', [leaked]);
    const { signing, published } = await current(pod);

    expect(published).not.toContain(leaked);
    expect(published).toContain(signing);
  });

  it('makes a key when the last one has signed for a quarter', async () => {
    const pod = await startPod();
    await pod.load();
    await pass(lifetimes.rotateEveryMs - HOUR_MS);
    expect((await pod.load()).keys).toHaveLength(1);

    await pass(HOUR_MS);

    expect((await pod.load()).keys).toHaveLength(2);
    expect((await pod.load()).keys).toHaveLength(2);
  });

  it('removes keys whose tokens have all expired, and no others', async () => {
    const pod = await startPod();
    await pod.load();
    await request();
    const { keys } = await pod.load();
    await pass(2 * HOUR_MS - 60_000);
    await pod.removeRetired();
    expect((await pod.load()).keys).toHaveLength(2);

    await pass(60_001);
    await pod.removeRetired();

    const last = keys
      .map(({ kid }) => kid)
      .sort()
      .at(-1);
    expect((await pod.load()).keys.map(({ kid }) => kid)).toEqual([last]);
  });

  it('opens keys from before they had a schedule', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = { ...privateKey.export({ format: 'jwk' }), kid: 'old', alg: 'ES256', use: 'sig' };
    const sealed = envelope.seal(new Secret(JSON.stringify(jwk)), ['identity.signing_keys', 'old']);
    await database.execute(
      `INSERT INTO identity.signing_keys (kid, sealed_jwk, signs_from) VALUES ('old', $1, now())`,
      [sealed],
    );

    const [key] = (await (await startPod()).load()).keys;
    const signature = (await key?.sign(Buffer.from('data'))) ?? fail();

    const check = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
    expect(verify('sha256', Buffer.from('data'), check, signature)).toBe(true);
    expect(key?.publicKey).not.toHaveProperty('d');
  });

  it('refuses a key that was moved to another name', async () => {
    await (await startPod()).load();
    await database.execute(`UPDATE identity.signing_keys SET kid = 'moved'`);

    await expect((await startPod()).load()).rejects.toThrow('does not open');
  });

  it('writes in the audit log that it made a key, and who asked for it', async () => {
    const pod = await startPod();
    await pod.load();
    await database.execute(
      `INSERT INTO identity.key_rotations (rotation_id, requested_by)
       VALUES (gen_random_uuid(), 'cli:ann@laptop')`,
    );
    await pod.load();
    await pass(lifetimes.rotateEveryMs + HOUR_MS);
    await pod.load();

    const lines = await database.execute(
      `SELECT actor_subject FROM audit.audit_log JOIN identity.signing_keys ON target_id = kid
        WHERE tenant_id = 'soma' AND action = 'signing_key.created' ORDER BY signs_from`,
    );

    // The last one made itself: the wish had been granted before.
    expect(lines.map(({ actor_subject }) => actor_subject)).toEqual([
      ...['identity', 'cli:ann@laptop', 'identity'],
    ]);
  });

  it('lets the service add keys and change none', async () => {
    const rights = await database.execute(
      `SELECT DISTINCT privilege_type FROM information_schema.role_table_grants
       WHERE grantee IN ('identity', 'identity_sweep') AND table_name = 'signing_keys' ORDER BY 1`,
    );

    expect(rights.map(({ privilege_type }) => privilege_type)).toEqual([
      'DELETE',
      'INSERT',
      'SELECT',
    ]);
  });
});

function fail(): never {
  throw new Error('It is missing.');
}
