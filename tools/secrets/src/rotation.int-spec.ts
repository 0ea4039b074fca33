import { spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret, sleep } from '@soma/kernel';
import { migrate } from '@soma/migrations';
import { Envelope, secretContext, UnsealError } from '@soma/secrets';
import { createTestDatabase, type TestDatabase } from '@soma/testing';
import { runCommand } from './commands.ts';
import { type MasterKeyLine, StoredSecrets } from './stored-secrets.ts';

interface Stored {
  tenant_id: string;
  connection_id: string;
  field: string;
  version: number;
  sealed: string;
}

const newKey = (): string => randomBytes(32).toString('base64');
const envelopeOf = (current: string, ...others: string[]): Envelope =>
  new Envelope(
    new Secret(current),
    others.map((other) => new Secret(other)),
  );

describe('npm run secrets', () => {
  const running = new AsyncDisposableStack();
  let database: TestDatabase;
  let url: string;

  beforeAll(async () => {
    database = running.use(await createTestDatabase());
    await migrate(new Secret(database.ownerUrl));
    url = await database.loginUrl('connection_catalog');
  });
  beforeEach(() => database.execute('TRUNCATE catalog.secrets, catalog.audit_outbox'));
  afterAll(() => running.disposeAsync());

  /** Each secret tells where it belongs, so that a reader knows whether it is the right one. */
  async function write(envelope: Envelope, count: number): Promise<void> {
    const rows = Array.from({ length: count }, (_, index) => {
      const location = {
        tenantId: `tenant-${index % 3}`,
        connection: randomUUID(),
        field: 'token',
      };
      const value = new Secret(JSON.stringify(location));
      return { ...location, sealed: envelope.seal(value, secretContext(location, 1)) };
    });
    await database.execute(
      `INSERT INTO catalog.secrets (tenant_id, connection_id, field, version, sealed)
       SELECT tenant_id, connection_id, 'token', 1, sealed
         FROM unnest($1::text[], $2::uuid[], $3::text[]) AS new (tenant_id, connection_id, sealed)`,
      [
        rows.map(({ tenantId }) => tenantId),
        rows.map(({ connection }) => connection),
        rows.map(({ sealed }) => sealed),
      ],
    );
  }

  /** What a pod finds that knows these keys: every secret opens, and is the one of its place. */
  async function expectAllReadable(envelope: Envelope): Promise<number> {
    const rows = (await database.execute('SELECT * FROM catalog.secrets')) as unknown as Stored[];
    for (const { tenant_id: tenantId, connection_id: connection, field, ...row } of rows) {
      const location = { tenantId, connection, field };
      const value = envelope.open(row.sealed, secretContext(location, row.version)).reveal();
      if (value !== JSON.stringify(location)) throw new Error(`${value} is in the wrong place.`);
    }
    return rows.length;
  }

  async function run(command: string | undefined, envelope: Envelope): Promise<unknown[]> {
    await using secrets = await StoredSecrets.open({ url: new Secret(url) }, envelope);
    const printed: unknown[] = [];
    const print = (value: unknown) => printed.push(value);
    await runCommand(secrets, command, { print, operatorTenant: 'ops' });
    return printed;
  }

  /** `rotate` in a process of its own, killed as soon as some rows are done. */
  async function rotateAndKill(current: string, other: string): Promise<void> {
    const env = { DATABASE_URL: url, SOMA_MASTER_KEY: current, SOMA_MASTER_KEY_OTHERS: other };
    const tool = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), 'rotate'], {
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const exited = once(tool, 'exit');
    const { masterKeyId } = envelopeOf(current);
    while (tool.exitCode === null && (await countUnder(masterKeyId)) === 0) await sleep(5);
    tool.kill('SIGKILL');
    await exited;
  }

  async function countUnder(masterKeyId: string): Promise<number> {
    const [row] = await database.execute(
      'SELECT count(*)::int AS count FROM catalog.secrets WHERE master_key_id = $1',
      [masterKeyId],
    );
    return Number(row?.['count']);
  }

  it('wraps every secret of every tenant with the new key, and leaves the values', async () => {
    const [old, next] = [newKey(), newKey()];
    await write(envelopeOf(old), 1_100);
    const values = () =>
      database.execute(
        `SELECT split_part(sealed, '.', 4) AS value FROM catalog.secrets ORDER BY 1`,
      );
    const before = await values();

    const printed = await run('rotate', envelopeOf(next, old));

    const line = { master_key_id: envelopeOf(next).masterKeyId, state: 'seals' };
    expect(printed).toEqual([{ wrapped: 1_100 }, { ...line, secrets: 1_100, unreadable: 0 }]);
    expect(await expectAllReadable(envelopeOf(next))).toBe(1_100);
    expect(await values()).toEqual(before);
    const told = await database.execute('SELECT tenant_id, event FROM catalog.audit_outbox');
    expect(told).toMatchObject([
      {
        tenant_id: 'ops',
        event: {
          actor: { subject: expect.stringMatching(/^cli:.+@.+/) },
          action: 'master_key.rotation_requested',
          target: { type: 'master_key', id: envelopeOf(next).masterKeyId },
        },
      },
    ]);
  });

  it('can be killed in the middle, under load: every secret stays readable (P1)', async () => {
    let [old, next] = [newKey(), newKey()];
    await write(envelopeOf(old), 6_000);
    let wasCut = false;
    let written = 6_000;
    for (let tries = 0; tries < 5 && !wasCut; tries += 1) {
      let isOver = false;
      const [seals, reads] = [envelopeOf(next, old), envelopeOf(old, next)];
      // Pods of before and after the change of the key write at once.
      const load = [seals, reads].map(async (envelope) => {
        while (!isOver) {
          await write(envelope, 10);
          written += 10;
        }
      });
      await rotateAndKill(next, old);
      isOver = true;
      await Promise.all(load);
      wasCut = (await countUnder(envelopeOf(old).masterKeyId)) > 0;
      expect(await expectAllReadable(envelopeOf(old, next))).toBe(written);
      if (!wasCut) [old, next] = [next, old];
    }

    expect(wasCut).toBe(true);
    await run('rotate', envelopeOf(next, old));
    expect(await expectAllReadable(envelopeOf(next))).toBe(written);
  });

  it('tells what is under which key, and changes nothing', async () => {
    const [old, next] = [newKey(), newKey()];
    await write(envelopeOf(old), 3);
    await write(envelopeOf(next), 2);

    const lines = (await run('status', envelopeOf(next, old))) as MasterKeyLine[];

    expect(lines).toEqual([
      { master_key_id: envelopeOf(old).masterKeyId, state: 'reads', secrets: 3, unreadable: 0 },
      { master_key_id: envelopeOf(next).masterKeyId, state: 'seals', secrets: 2, unreadable: 0 },
    ]);
    expect(await countUnder(envelopeOf(old).masterKeyId)).toBe(3);
  });

  it('says which key is missing, and loses nothing without it', async () => {
    const [old, next] = [newKey(), newKey()];
    await write(envelopeOf(old), 3);

    await expect(run('rotate', envelopeOf(next))).rejects.toThrow(
      `Put the master keys ${envelopeOf(old).masterKeyId} into SOMA_MASTER_KEY_OTHERS`,
    );
    expect(await expectAllReadable(envelopeOf(old))).toBe(3);
  });

  it('tells of what was moved to another tenant, and leaves it as it is (P6)', async () => {
    const [old, next] = [newKey(), newKey()];
    await write(envelopeOf(old), 6);
    await database.execute(
      `UPDATE catalog.secrets SET tenant_id = 'tenant-9' WHERE tenant_id = 'tenant-1'`,
    );

    await expect(run('rotate', envelopeOf(next, old))).rejects.toThrow(
      '2 secrets do not open: they were altered or moved',
    );
    expect(await countUnder(envelopeOf(old).masterKeyId)).toBe(2);
    await expect(expectAllReadable(envelopeOf(next, old))).rejects.toThrow(UnsealError);
  });

  it('shows how it is used', async () => {
    await expect(run(undefined, envelopeOf(newKey()))).rejects.toThrow('Usage:');
    await expect(run('delete', envelopeOf(newKey()))).rejects.toThrow('Usage:');
  });
});
