import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type AuditEvent, type AuditReport } from '@soma/contracts';
import { AuditOutbox } from '@soma/messaging';
import { renderMetrics } from '@soma/observability';
import { TenantTransaction } from '@soma/persistence';
import { until } from '@soma/testing';
import {
  type CatalogServers,
  createCatalogServers,
  startCatalog,
  type TestCatalog,
  listenToAudit,
} from '../spec-support.ts';

const PATH = '/api/v1/connections';
const OWNER = { tenant: 'acme', subject: 'ann', role: 'owner', amr: ['mfa'] } as const;

function report(name: string): AuditReport {
  return {
    tenant_id: 'acme',
    actor: { subject: 'ann', address: null },
    action: 'connection.updated',
    target: { type: 'connection', id: name },
    outcome: 'success',
    request_id: null,
    // JSON has both, and PostgreSQL's jsonb refuses both.
    details: { note: 'NUL \u0000 and half a pair \ud83d' },
  };
}

describe('what the catalog tells the audit log', () => {
  const running = new AsyncDisposableStack();
  let heard: AuditEvent[];
  let servers: CatalogServers;
  let catalog: TestCatalog;

  beforeAll(async () => {
    servers = await createCatalogServers(running);
    catalog = running.use(await startCatalog(servers));
    heard = await listenToAudit(servers, running);
    await servers.database.execute(
      `CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql
         AS $$ BEGIN RAISE 'refused by the test'; END $$`,
    );
  });

  afterEach(() =>
    servers.database.execute(
      `DROP TRIGGER IF EXISTS held ON catalog.audit_outbox;
       GRANT INSERT ON catalog.audit_outbox TO connection_catalog`,
    ),
  );
  afterAll(() => running.disposeAsync());

  const of = (name: string): AuditEvent[] => heard.filter(({ target }) => target.id === name);

  const heardOf = (name: string, times = 1): Promise<AuditEvent[]> =>
    until(() => (of(name).length >= times ? of(name) : undefined));

  const create = (name: string, on = catalog): Promise<{ status: number }> =>
    on.send('POST', PATH, { body: { name, type: 'github', fields: { token: 'of-git' } } });

  it('is nothing of what is rolled back', async () => {
    const outbox = catalog.service.get(AuditOutbox, { strict: false });
    const transaction = catalog.service.get(TenantTransaction, { strict: false });
    const undone = transaction.run('acme', async (manager) => {
      await outbox.append(manager, report('undone'));
      throw new Error('The change fails.');
    });
    await expect(undone).rejects.toThrow('The change fails.');
    await transaction.run('acme', (manager) =>
      outbox.append(manager, report('first'), report('second')),
    );

    expect(await heardOf('second')).toMatchObject([report('second')]);
    expect(of('first')).toHaveLength(1);
    expect(of('undone')).toEqual([]);
  });

  it('must be written down, or nothing is changed and nothing shown', async () => {
    await create('kept');
    await servers.database.execute('REVOKE INSERT ON catalog.audit_outbox FROM connection_catalog');

    const path = `${PATH}/kept`;
    const answers = [
      await create('never'),
      await catalog.send('PATCH', path, { body: { rate_limit_rpm: 5 } }),
      await catalog.send('GET', `${path}/secrets/token`, { as: OWNER }),
      await catalog.send('DELETE', path),
    ];

    expect(answers.map(({ status }) => status)).toEqual([500, 500, 404, 500]);
    expect(JSON.stringify(answers)).not.toContain('of-git');
    expect((await catalog.send('GET', `${PATH}/never`)).status).toBe(404);
    const kept = await catalog.send('GET', path);
    expect(kept).toMatchObject({ status: 200, body: { version: 1, rate_limit_rpm: null } });
  });

  it('names each change, each look at its health, and who was behind it', async () => {
    const path = `${PATH}/named`;
    const as = { tenant: 'acme', subject: 'bea' };
    const [post, patch, get, remove] = ['POST', 'PATCH', 'GET', 'DELETE'] as const;
    const body = {
      name: 'named',
      type: 'github',
      fields: { webhook_secret: 'for webhooks alone' },
    };
    await catalog.send(post, PATH, { as, body });
    await catalog.send(patch, path, { as, body: { rate_limit_rpm: 5 } });
    await catalog.send(get, `${path}/health`, { as });
    await catalog.send(remove, path, { as });

    const lines = await heardOf('named', 4);
    expect(lines.map(({ action }) => action)).toEqual([
      ...['connection.created', 'connection.updated'],
      ...['connection.tested', 'connection.deleted'],
    ]);
    expect(new Set(lines.map(({ actor }) => actor.subject))).toEqual(new Set(['bea']));
  });

  it('waits in the database for a process that can send it, when its own has died', async () => {
    // Nobody can send from now on.
    await servers.database.execute(
      `CREATE TRIGGER held BEFORE DELETE ON catalog.audit_outbox
         FOR EACH STATEMENT EXECUTE FUNCTION public.refuse()`,
    );
    await using dying = await startCatalog(servers);
    expect((await create('orphan', dying)).status).toBe(201);
    await dying[Symbol.asyncDispose]();
    const [row] = await servers.database.execute(
      `SELECT audit_id FROM catalog.audit_outbox WHERE event #>> '{target,id}' = 'orphan'`,
    );
    expect(of('orphan')).toEqual([]);
    await servers.database.execute('DROP TRIGGER held ON catalog.audit_outbox');

    expect(await heardOf('orphan')).toMatchObject([{ ...row, action: 'connection.created' }]);
  });

  it('keeps its id when it is sent again, so that the log takes it once (P3)', async () => {
    // Kafka has it, and then the commit fails that would remove it here.
    await servers.database.execute(
      `CREATE CONSTRAINT TRIGGER held AFTER DELETE ON catalog.audit_outbox
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.refuse()`,
    );
    await create('twice');
    const [first, second] = await heardOf('twice', 2);
    await until(async () => /age_seconds\{outbox="audit"\} (?!0$)/m.test(await renderMetrics()));
    await servers.database.execute('DROP TRIGGER held ON catalog.audit_outbox');

    expect(second).toEqual(first);
    await until(async () => {
      const rows = await servers.database.execute('SELECT FROM catalog.audit_outbox');
      return rows.length === 0;
    });
  });
});
