import type { Principal } from '@soma/contracts';
import { Secret } from '@soma/kernel';
import { migrate } from '@soma/migrations';
import { openDataSource, SweepTransaction, TenantTransaction } from '@soma/persistence';
import { createTestDatabase } from '@soma/testing';
import type { DataSource } from 'typeorm';
import { AcceptTurns } from './accept-turns.ts';
import { CancelTurns } from './cancel-turns.ts';
import { ClaimTurn } from './claim-turn.ts';
import { FindTurns } from './find-turns.ts';
import { RowAnnouncer } from './row-announcer.ts';
import { SessionOutbox } from './session-outbox.ts';
import { Sessions } from './sessions.ts';
import { StreamTickets } from './stream-tickets.ts';
import { Timeline } from './timeline.ts';
import type { OutboxRow } from './timeline-row.ts';
import { ToolResults } from './tool-results.ts';
import type { Witness } from './witness.ts';
import { WorkerLeases } from './worker-leases.ts';
import { WriteTurn } from './write-turn.ts';

/** Keeps what was announced. */
export class Announced extends RowAnnouncer {
  readonly rows: OutboxRow[] = [];

  publish(rows: OutboxRow[]): void {
    this.rows.push(...rows);
  }
}

export const acme: Principal = { subject: 'ada', tenant_id: 'acme', scopes: [] };
export const globex: Principal = { subject: 'gus', tenant_id: 'globex', scopes: [] };

/** Writes nothing along with a change. */
export const nobody: Witness = () => Promise.resolve();

/** All of this library over one database, each part under the role of the app that it is for. */
export interface TestTimeline {
  announced: Announced;
  /** Sees all tenants. */
  owner: DataSource;
  /** Under the worker's role. */
  worker: DataSource;
  accept: AcceptTurns;
  cancel: CancelTurns;
  sessions: Sessions;
  timeline: Timeline;
  tickets: StreamTickets;
  outbox: SessionOutbox;
  claims: ClaimTurn;
  turns: WriteTurn;
  results: ToolResults;
  find: FindTurns;
  leases: WorkerLeases;
}

/** Whatever is started is left on the stack, which the test disposes of. */
export async function openTimeline(running: AsyncDisposableStack): Promise<TestTimeline> {
  const database = running.use(await createTestDatabase());
  await migrate(new Secret(database.ownerUrl));
  const connect = async (url: string): Promise<DataSource> => {
    const source = await openDataSource({ url: new Secret(url) });
    running.defer(() => source.destroy());
    return source;
  };
  const owner = await connect(database.ownerUrl);
  const gateway = await connect(await database.loginUrl('gateway'));
  const worker = await connect(await database.loginUrl('conversation_worker'));
  const announced = new Announced();
  return {
    announced,
    owner,
    worker,
    ...forGateway(gateway, announced),
    ...forWorker(worker, announced),
  };
}

type ForGateway = Pick<
  TestTimeline,
  'accept' | 'cancel' | 'sessions' | 'timeline' | 'tickets' | 'outbox'
>;

function forGateway(source: DataSource, announced: Announced): ForGateway {
  const transaction = new TenantTransaction(source);
  return {
    accept: new AcceptTurns(transaction, announced),
    cancel: new CancelTurns(transaction, announced),
    sessions: new Sessions(transaction, announced),
    timeline: new Timeline(transaction),
    tickets: new StreamTickets(transaction),
    outbox: new SessionOutbox(new SweepTransaction(source, 'gateway_sweep')),
  };
}

type ForWorker = Pick<TestTimeline, 'claims' | 'turns' | 'results' | 'find' | 'leases'>;

function forWorker(source: DataSource, announced: Announced): ForWorker {
  const transaction = new TenantTransaction(source);
  const sweep = new SweepTransaction(source, 'conversation_worker_sweep');
  return {
    claims: new ClaimTurn(transaction, announced),
    turns: new WriteTurn(transaction, announced),
    results: new ToolResults(transaction, sweep, announced),
    find: new FindTurns(sweep),
    leases: new WorkerLeases(sweep),
  };
}
