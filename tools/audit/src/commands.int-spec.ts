import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { auditHash, FIRST_PREVIOUS_HASH } from '@soma/contracts';
import { Secret } from '@soma/kernel';
import { migrate } from '@soma/migrations';
import { createTestDatabase, type TestDatabase } from '@soma/testing';
import { Chains } from './chains.ts';
import { runCommand, UsageError } from './commands.ts';

const ACTORS = ['ann', 'bob', 'cem', 'dan', 'eve'];

describe('npm run audit', () => {
  const running = new AsyncDisposableStack();
  let database: TestDatabase;
  let chains: Chains;
  let folder: string;

  beforeAll(async () => {
    database = running.use(await createTestDatabase());
    await migrate(new Secret(database.ownerUrl));
    chains = running.use(
      await Chains.open({ url: new Secret(await database.loginUrl('identity')) }),
    );
    folder = await mkdtemp(join(tmpdir(), 'soma-audit-'));
    running.defer(() => rm(folder, { recursive: true }));
  });
  afterAll(() => running.disposeAsync());

  /** Writes a chain of one line for each actor, as its own owner may. */
  async function writeChain(tenant_id: string, actors = ACTORS): Promise<void> {
    let hash = FIRST_PREVIOUS_HASH;
    for (const [index, subject] of actors.entries()) {
      const said = {
        ...{ tenant_id, seq: index + 1, audit_id: crypto.randomUUID(), previous_hash: hash },
        ...{ action: 'api_key.created', outcome: 'success' as const, request_id: null },
      };
      const occurred_at = '2026-03-01T00:00:00.120Z';
      const details = { number: 1e21, text: 'ä\u2028"' };
      hash = auditHash({
        ...{ ...said, occurred_at, details },
        actor: { subject, address: null },
        target: { type: 'api_key', id: 'k' },
      });
      const row = { ...said, occurred_at, details, hash, actor_subject: subject };
      await database.execute(
        `INSERT INTO audit.audit_log
         SELECT * FROM json_populate_recordset(NULL::audit.audit_log, $1::json)`,
        [JSON.stringify([{ ...row, target_type: 'api_key', target_id: 'k' }])],
      );
    }
    await database.execute(
      `INSERT INTO audit.chain_heads VALUES ($1, $2, $3)
       ON CONFLICT (tenant_id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash`,
      [tenant_id, actors.length, hash],
    );
  }

  /** What somebody can do who may do everything in the database. */
  async function tamper(...statements: string[]): Promise<void> {
    await database.execute('ALTER TABLE audit.audit_log DISABLE TRIGGER append_only');
    for (const statement of statements) await database.execute(statement);
    await database.execute('ALTER TABLE audit.audit_log ENABLE TRIGGER append_only');
  }

  async function run(
    command: string | undefined,
    options: { tenant?: string; heads?: string } = {},
  ): Promise<{ isWhole: boolean; printed: Record<string, unknown>[] }> {
    const printed: Record<string, unknown>[] = [];
    const isWhole = await runCommand(chains, { command, ...options }, (value) =>
      printed.push(value as Record<string, unknown>),
    );
    return { isWhole, printed };
  }

  it('finds nothing wrong with what nobody touched, of all tenants', async () => {
    await writeChain('whole');
    await writeChain('other', ['zoe']);

    const { isWhole, printed } = await run('verify');

    expect(isWhole).toBe(true);
    expect(printed).toContainEqual({ tenant_id: 'whole', lines: 5, faults: 0 });
    expect(printed).toContainEqual({ tenant_id: 'other', lines: 1, faults: 0 });
  });

  it.each([
    ['altered', 3, `UPDATE audit.audit_log SET action = 'x' WHERE %t AND seq = 3`],
    ['altered', 2, `UPDATE audit.audit_log SET details = '{}' WHERE %t AND seq = 2`],
    ['removed', 4, `DELETE FROM audit.audit_log WHERE %t AND seq = 4`],
    ['removed', 4, `DELETE FROM audit.audit_log WHERE %t AND seq > 3`],
    [
      'moved',
      2,
      `UPDATE audit.audit_log SET seq = CASE seq WHEN 2 THEN -3 ELSE -2 END
                   WHERE %t AND seq IN (2, 3);
                  UPDATE audit.audit_log SET seq = -seq WHERE %t AND seq < 0`,
    ],
  ])('names what was %s: line %i, by %s', async (fault, seq, sql) => {
    const tenant = `tampered-${crypto.randomUUID()}`;
    await writeChain(tenant);
    await tamper(...sql.replaceAll('%t', `tenant_id = '${tenant}'`).split(';'));

    const { isWhole, printed } = await run('verify', { tenant });

    expect(isWhole).toBe(false);
    expect(printed).toContainEqual(expect.objectContaining({ tenant_id: tenant, seq, fault }));
  });

  it('knows by a head that was kept elsewhere that a chain was cut off or made anew', async () => {
    const tenant = 'rewritten';
    await writeChain(tenant);
    const heads = join(folder, 'heads.ndjson');
    const { printed: kept } = await run('export-heads');
    await writeFile(heads, kept.map((head) => JSON.stringify({ ...head, level: 30 })).join('\n'));
    const again = async (actors: string[]) => {
      await tamper(`DELETE FROM audit.audit_log WHERE tenant_id = '${tenant}'`);
      await writeChain(tenant, actors);
    };

    await again(['ann', 'bob', 'cem', 'dan', 'mallory']);
    expect((await run('verify', { tenant })).isWhole).toBe(true);
    expect((await run('verify', { tenant, heads })).printed).toMatchObject([
      { seq: 5, fault: 'forked' },
      { faults: 1 },
    ]);
    await again(['ann', 'bob']);
    expect((await run('verify', { tenant, heads })).printed).toMatchObject([
      { seq: 3, fault: 'removed', detail: 'Lines 3 to 5 are missing.' },
      { faults: 1 },
    ]);
  });

  it('says what it can do when it is asked for something else', async () => {
    await expect(run('repair')).rejects.toThrow(UsageError);
  });
});
