import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Principal } from '@soma/contracts';
import { Secret } from '@soma/kernel';
import { migrate } from '@soma/migrations';
import { openDataSource, SweepTransaction, TenantTransaction } from '@soma/persistence';
import { createTestDatabase, type TestDatabase } from '@soma/testing';
import { AcceptTurns } from './accept-turns.ts';
import { ErasureLedger } from './erasure-ledger.ts';
import { RowAnnouncer } from './row-announcer.ts';
import { Sessions } from './sessions.ts';
import type { OutboxRow } from './timeline-row.ts';

class Announced extends RowAnnouncer {
  readonly rows: OutboxRow[] = [];

  publish(rows: OutboxRow[]): void {
    this.rows.push(...rows);
  }
}

const TABLES = ['sessions', 'session_events', 'turns'];
const acme: Principal = { subject: 'ada', tenant_id: 'acme', scopes: [] };
const globex: Principal = { subject: 'gus', tenant_id: 'globex', scopes: [] };
const nobody = (): Promise<void> => Promise.resolve();

describe('the ledger of erasures', () => {
  const running = new AsyncDisposableStack();
  const announced = new Announced();
  let database: TestDatabase;
  let accept: AcceptTurns;
  let sessions: Sessions;
  let ledger: ErasureLedger;

  beforeAll(async () => {
    database = running.use(await createTestDatabase());
    await migrate(new Secret(database.ownerUrl));
    const gateway = await openDataSource({ url: new Secret(await database.loginUrl('gateway')) });
    running.defer(() => gateway.destroy());
    const transaction = new TenantTransaction(gateway);
    accept = new AcceptTurns(transaction, announced);
    sessions = new Sessions(transaction, announced);
    ledger = new ErasureLedger(
      new SweepTransaction(gateway, 'gateway_sweep'),
      transaction,
      announced,
    );
  });

  afterAll(() => running.disposeAsync());

  const say = (principal: Principal, sessionId: string) =>
    accept.accept({ principal, sessionId, message: `a secret of ${sessionId}` });

  /** Takes the tables of the moment as a backup, and answers how it is restored. */
  async function backUp(): Promise<() => Promise<void>> {
    for (const table of TABLES) {
      await database.execute(`CREATE TABLE ${table} AS SELECT * FROM conversation.${table}`);
    }
    return async () => {
      for (const table of TABLES) {
        await database.execute(`DELETE FROM conversation.${table}`);
        await database.execute(`INSERT INTO conversation.${table} SELECT * FROM ${table}`);
      }
    };
  }

  function contentOf(sessionId: string): Promise<Record<string, unknown>[]> {
    return database.execute(
      `SELECT tenant_id, envelope ->> 'message' AS content
         FROM conversation.session_events WHERE session_id = $1
       UNION ALL SELECT tenant_id, 'a turn' FROM conversation.turns WHERE session_id = $1
       ORDER BY tenant_id, content`,
      [sessionId],
    );
  }

  it('erases again what a restored backup brought back, and nothing else', async () => {
    await say(acme, 'erased');
    await say(acme, 'kept');
    await say(globex, 'erased');
    const restore = await backUp();
    await say(acme, 'unknown-to-the-backup');
    await sessions.delete(acme, 'erased', nobody);
    await sessions.delete(acme, 'unknown-to-the-backup', nobody);
    await restore();
    expect(await sessions.find('acme', 'erased')).not.toBeNull();
    announced.rows.length = 0;

    await ledger.applyAgain();
    await ledger.applyAgain();

    expect(await sessions.find('acme', 'erased')).toBeNull();
    expect((await sessions.list('acme', { limit: 9 })).sessions).toMatchObject([
      { session_id: 'kept' },
    ]);
    expect(await sessions.find('globex', 'erased')).not.toBeNull();
    // Of acme's only the tombstone is left, of globex's all.
    expect(await contentOf('erased')).toEqual([
      { tenant_id: 'acme', content: '' },
      { tenant_id: 'globex', content: 'a secret of erased' },
      { tenant_id: 'globex', content: 'a turn' },
    ]);
    // Streams of them end, once.
    expect(announced.rows).toHaveLength(2);
  });

  it('erases the others where one cannot be erased', async () => {
    const names = ['bad', 'good'];
    for (const name of names) {
      await say(acme, name);
      await database.execute(
        `INSERT INTO conversation.erased_sessions VALUES ('acme', $1, now())`,
        [name],
      );
    }
    await database.execute(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'not this one'; END $$;
      CREATE TRIGGER refuse BEFORE UPDATE ON conversation.sessions
        FOR EACH ROW WHEN (old.session_id = 'bad') EXECUTE FUNCTION refuse()`);
    Logger.overrideLogger(false);

    await expect(ledger.applyAgain()).rejects.toThrow('1 restored sessions');

    expect(await sessions.find('acme', 'good')).toBeNull();
    await database.execute('DROP TRIGGER refuse ON conversation.sessions');
    await ledger.applyAgain();
    expect(await sessions.find('acme', 'bad')).toBeNull();
  });

  it('knows of what was erased before there was a ledger', async () => {
    const kept = `SELECT tenant_id, session_id FROM conversation.erased_sessions ORDER BY 1, 2`;
    const before = await database.execute(kept);
    // An owner who is no superuser, as in production: row-level security holds for it too.
    const owner = `owner_${randomUUID().replaceAll('-', '')}`;
    await database.execute(`
      CREATE ROLE ${owner};
      GRANT ALL ON SCHEMA public, conversation TO ${owner};
      ALTER TABLE public.migrations OWNER TO ${owner};
      ALTER TABLE conversation.sessions OWNER TO ${owner};
      ALTER TABLE conversation.erased_sessions OWNER TO ${owner};
      DELETE FROM conversation.erased_sessions;
      DELETE FROM public.migrations WHERE name LIKE 'ErasuresOfBefore%'`);
    running.defer(async () => {
      await database.execute(
        `REASSIGN OWNED BY ${owner} TO CURRENT_USER; DROP OWNED BY ${owner}; DROP ROLE ${owner}`,
      );
    });

    await migrate(new Secret(await database.loginUrl(owner)));

    expect(before.length).toBeGreaterThan(0);
    expect(await database.execute(kept)).toEqual(before);
  });

  it('never lets the id of an erased session be used again, also after a restore', async () => {
    for (const sessionId of ['erased', 'unknown-to-the-backup']) {
      await expect(say(acme, sessionId)).rejects.toMatchObject({ code: 'session_deleted' });
    }
  });
});
