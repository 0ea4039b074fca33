import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { type AuditReport, auditHash, FIRST_PREVIOUS_HASH } from '@soma/contracts';
import { newIdentifier, Secret } from '@soma/kernel';
import { migrate } from '@soma/migrations';
import { PersistenceModule, TenantTransaction } from '@soma/persistence';
import { createTestDatabase, type TestDatabase } from '@soma/testing';
import { createService } from '@soma/http';
import { AuditLog } from './audit-log.ts';
import { type AuditRow, toAuditLine } from './audit-row.ts';

@Module({})
class AuditTests {}

const entry: AuditReport = {
  tenant_id: 'acme',
  actor: { subject: 'ann', address: '192.0.2.7' },
  action: 'api_key.created',
  target: { type: 'api_key', id: 'k1' },
  outcome: 'success',
  request_id: 'r1',
  details: { scopes: 'sessions:read', keys: 2, expires: true, note: null },
};

describe('the audit log', () => {
  const running = new AsyncDisposableStack();
  let database: TestDatabase;
  let transaction: TenantTransaction;
  let log: AuditLog;

  beforeAll(async () => {
    database = running.use(await createTestDatabase());
    await migrate(new Secret(database.ownerUrl));
    const url = new Secret(await database.loginUrl('identity'));
    const persistence = PersistenceModule.connect({ url, sweepRole: 'identity_sweep' });
    const service = await createService({
      module: AuditTests,
      imports: [persistence],
      providers: [AuditLog],
    });
    running.defer(() => service.close());
    transaction = service.get(TenantTransaction);
    log = service.get(AuditLog);
  });

  afterAll(() => running.disposeAsync());

  function append(changes: Partial<AuditReport> = {}): Promise<void> {
    const said = { ...entry, ...changes };
    return transaction.run(said.tenant_id, (manager) => log.append(manager, said));
  }

  async function linesOf(tenantId: string): Promise<ReturnType<typeof toAuditLine>[]> {
    const rows = await transaction.run(tenantId, (manager) =>
      manager.query<AuditRow[]>('SELECT * FROM audit.audit_log ORDER BY seq'),
    );
    return rows.map(toAuditLine);
  }

  /** Every line as its hash says, and behind the line before it. */
  function expectChain(lines: ReturnType<typeof toAuditLine>[]): void {
    expect(lines.map(({ seq }) => seq)).toEqual(lines.map((_line, index) => index + 1));
    expect(lines.map(({ previous_hash }) => previous_hash)).toEqual([
      FIRST_PREVIOUS_HASH,
      ...lines.slice(0, -1).map(({ hash }) => hash),
    ]);
    expect(lines.map(({ hash }) => hash)).toEqual(lines.map(auditHash));
  }

  it('chains the lines of each tenant, and reads what it hashed', async () => {
    await append({ tenant_id: 'first' });
    await append({ tenant_id: 'other' });
    await append({ tenant_id: 'first', actor: { subject: 'bob', address: null } });

    const lines = await linesOf('first');
    expectChain(lines);
    expectChain(await linesOf('other'));
    expect(lines).toMatchObject([
      { ...entry, tenant_id: 'first' },
      { actor: { subject: 'bob', address: null } },
    ]);
  });

  it('keeps one chain when many append at once', async () => {
    const actors = Array.from({ length: 30 }, (_, index) => `ann-${index}`);

    await Promise.all(
      actors.map((subject) => append({ tenant_id: 'busy', actor: { subject, address: null } })),
    );

    const lines = await linesOf('busy');
    expectChain(lines);
    expect(lines.map(({ actor }) => actor.subject).sort()).toEqual([...actors].sort());
  });

  it('is written with the change that it tells of, or not at all', async () => {
    const failing = transaction.run('rolled-back', async (manager) => {
      await log.append(manager, { ...entry, tenant_id: 'rolled-back' });
      throw new Error('the change failed');
    });

    await expect(failing).rejects.toThrow('the change failed');
    await append({ tenant_id: 'rolled-back' });
    expectChain(await linesOf('rolled-back'));
  });

  it('writes an event that comes twice once (P3)', async () => {
    const event = (audit_id: string) => ({
      ...entry,
      tenant_id: 'twice',
      audit_id,
      occurred_at: new Date().toISOString(),
    });
    const [one, two] = [event(newIdentifier()), event(newIdentifier())];
    const appendEvents = (...events: (typeof one)[]) =>
      transaction.run('twice', (manager) => log.appendEvents(manager, 'twice', events));

    await appendEvents(one, one);
    await Promise.all([appendEvents(one, two), appendEvents(two, one)]);

    const lines = await linesOf('twice');
    expectChain(lines);
    expect(lines.map(({ audit_id }) => audit_id)).toEqual([one.audit_id, two.audit_id]);
  });

  it('keeps a chain over texts that the database cannot hold as they are', async () => {
    const subject = `nul \0, half \ud83d, ${'long '.repeat(1_000)}`;
    const details = { 'a\0': '\udc00', number: 1e21, fraction: 0.1 };
    await append({ tenant_id: 'odd', actor: { subject, address: null }, details });

    expectChain(await linesOf('odd'));
  });

  it('lets the service change and remove nothing', async () => {
    await append({ tenant_id: 'fixed' });
    const attempts = [
      `UPDATE audit.audit_log SET action = 'a.b'`,
      `DELETE FROM audit.audit_log`,
      `TRUNCATE audit.audit_log`,
      `DELETE FROM audit.chain_heads`,
      `DELETE FROM audit.exported_heads`,
    ];

    for (const attempt of attempts) {
      await expect(transaction.run('fixed', (manager) => manager.query(attempt))).rejects.toThrow(
        'permission denied',
      );
      await expect(database.execute(attempt)).rejects.toThrow('append-only');
    }
  });
});
