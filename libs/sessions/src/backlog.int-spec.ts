import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal } from '@soma/contracts';
import { Secret } from '@soma/kernel';
import { migrate } from '@soma/migrations';
import { openDataSource, TenantTransaction } from '@soma/persistence';
import { createTestDatabase } from '@soma/testing';
import type { DataSource } from 'typeorm';
import { AcceptTurns } from './accept-turns.ts';
import { ClaimTurn } from './claim-turn.ts';
import { RowAnnouncer } from './row-announcer.ts';

const BACKLOG = 3_000;
const USES = 20;

class Silent extends RowAnnouncer {
  publish(): void {
    // Nobody listens.
  }
}

const principal: Principal = { subject: 'ada', tenant_id: 'acme', scopes: [] };

describe('a long backlog of one tenant', () => {
  const running = new AsyncDisposableStack();
  let accept: AcceptTurns;
  let claims: ClaimTurn;
  let gateway: DataSource;
  let worker: DataSource;
  let sessions: string[];

  beforeAll(async () => {
    const database = running.use(await createTestDatabase());
    await migrate(new Secret(database.ownerUrl));
    const connect = async (role: string): Promise<DataSource> => {
      // One connection, so that it can be asked for the statistics of all that was done.
      const url = new Secret(await database.loginUrl(role));
      const source = await openDataSource({ url, poolSize: 1 });
      running.defer(() => source.destroy());
      return source;
    };
    gateway = await connect('gateway');
    worker = await connect('conversation_worker');
    accept = new AcceptTurns(new TenantTransaction(gateway), new Silent());
    claims = new ClaimTurn(new TenantTransaction(worker), new Silent());
    const accepted = await Promise.all(
      Array.from({ length: BACKLOG }, () => accept.accept({ principal, message: 'Hello' })),
    );
    sessions = accepted.map(({ session_id }) => session_id);
  });

  afterAll(() => running.disposeAsync());

  /** How many entries of the indexes on turns the work has read. */
  async function entriesRead(source: DataSource, work: () => Promise<unknown>): Promise<number> {
    const before = await statistics(source);
    await work();
    return (await statistics(source)) - before;
  }

  it('is not read when a message is accepted', async () => {
    const read = await entriesRead(gateway, async () => {
      for (let use = 0; use < USES; use += 1) await accept.accept({ principal, message: 'Hello' });
    });

    expect(read).toBeLessThan(USES * 10);
  });

  it('is not read when a turn is claimed', async () => {
    const read = await entriesRead(worker, async () => {
      for (const sessionId of sessions.slice(0, USES)) {
        const claimed = await claims.claim(
          { tenantId: 'acme', sessionId },
          { workerId: 'worker', maxPerTenant: 2 * USES },
        );
        expect(claimed).not.toBeNull();
      }
    });

    // A claim counts the tenant's running turns, which are bounded.
    expect(read).toBeLessThan(USES * (10 + 2 * USES));
  });
});

async function statistics(source: DataSource): Promise<number> {
  await source.query('SELECT pg_stat_force_next_flush()');
  const [row] = await source.query<{ read: number }[]>(
    `SELECT sum(idx_tup_read)::int AS read FROM pg_stat_user_indexes
      WHERE schemaname = 'conversation' AND relname = 'turns'`,
  );
  return row?.read ?? 0;
}
