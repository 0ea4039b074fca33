import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal, RowEvent } from '@soma/contracts';
import { newIdentifier, Problem, Secret } from '@soma/kernel';
import { migrate } from '@soma/migrations';
import { createDataSource, SweepTransaction, TenantTransaction } from '@soma/persistence';
import { createTestDatabase } from '@soma/testing';
import { array, assert, asyncProperty, constantFrom, nat, record } from 'fast-check';
import { AcceptTurns } from './accept-turns.ts';
import { CancelTurns } from './cancel-turns.ts';
import { type ClaimedTurn, ClaimTurn } from './claim-turn.ts';
import { RowAnnouncer } from './row-announcer.ts';
import { Timeline } from './timeline.ts';
import { WorkerLeases } from './worker-leases.ts';
import { TurnLostError, WriteTurn } from './write-turn.ts';

class Silent extends RowAnnouncer {
  publish(): void {
    // Nobody listens.
  }
}

const acme: Principal = { subject: 'ada', tenant_id: 'acme', scopes: [] };
const ENDS = ['assistant.final', 'assistant.error', 'assistant.cancelled'];

const step = record({
  act: constantFrom(
    ...(['say', 'claim', 'claim', 'end', 'end', 'cancel', 'handBack', 'saveStep'] as const),
    ...(['restart', 'die'] as const),
  ),
  worker: constantFrom('w1', 'w2'),
  /** Which of the claims made so far acts; old ones have mostly been fenced off. */
  claim: nat({ max: 3 }),
});

describe('the states of a turn', () => {
  const running = new AsyncDisposableStack();
  let accept: AcceptTurns;
  let cancel: CancelTurns;
  let claims: ClaimTurn;
  let turns: WriteTurn;
  let leases: WorkerLeases;
  let timeline: Timeline;

  beforeAll(async () => {
    const database = running.use(await createTestDatabase());
    await migrate(new Secret(database.ownerUrl));
    const url = new Secret(await database.loginUrl('conversation_worker'));
    const source = await createDataSource({ url }).initialize();
    running.defer(() => source.destroy());
    const transaction = new TenantTransaction(source);
    accept = new AcceptTurns(transaction, new Silent());
    cancel = new CancelTurns(transaction, new Silent());
    claims = new ClaimTurn(transaction, new Silent());
    turns = new WriteTurn(transaction, new Silent());
    leases = new WorkerLeases(new SweepTransaction(source, 'conversation_worker_sweep'));
    timeline = new Timeline(transaction);
  });

  afterAll(() => running.disposeAsync());

  /** Everybody who ever held the turn may try anything; only the fence decides. */
  async function play(
    sessionId: string,
    held: ClaimedTurn[],
    { act, worker, claim }: { act: string; worker: string; claim: number },
  ): Promise<void> {
    const turn = held.at(-1 - claim);
    const final = { type: 'assistant.final', message: 'hi', metadata: {} } as const;
    switch (act) {
      case 'say':
        await accept.accept({ principal: acme, sessionId, message: 'hello' });
        break;
      case 'claim': {
        await leases.beat(worker, 60_000);
        const taken = await claims.claim(
          { tenantId: 'acme', sessionId },
          { workerId: worker, maxPerTenant: 1000 },
        );
        if (taken !== null) held.push(taken);
        break;
      }
      case 'cancel':
        await cancel.cancel({ principal: acme, sessionId });
        break;
      case 'die':
        await leases.beat(worker, -1);
        break;
      default:
        if (turn !== undefined) await write(act, turn, { held, final });
    }
  }

  async function write(
    act: string,
    turn: ClaimedTurn,
    {
      held,
      final,
    }: { held: ClaimedTurn[]; final: Pick<RowEvent, 'type' | 'message' | 'metadata'> },
  ): Promise<void> {
    if (act === 'end') await turns.end(turn, { state: 'done', row: final });
    if (act === 'handBack') await turns.handBack(turn);
    if (act === 'saveStep') held.push(await turns.saveStep(turn, { text: 'ab', kept: 1 }));
    if (act === 'restart') held.push(await turns.restart(turn, { outcome: 'failed' }));
  }

  async function eventsOf(sessionId: string): Promise<RowEvent[]> {
    const rows = await timeline.rowsAfter('acme', sessionId, { seq: 0, limit: 1000 });
    return rows.map(({ envelope }) => JSON.parse(envelope) as RowEvent);
  }

  /** What holds of every timeline, whatever was tried. */
  function checkTimeline(events: RowEvent[]): void {
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    const messages = events.filter(({ type }) => type === 'user.message');
    const ended = events.filter(({ type }) => ENDS.includes(type)).map(({ turn_id }) => turn_id);
    expect(new Set(ended).size).toBe(ended.length);
    // Turns end in the order of their messages, and none begins before the one before has ended.
    expect(ended).toEqual(messages.slice(0, ended.length).map(({ event_id }) => event_id));
    let open: string | null = null;
    for (const { type, turn_id } of events) {
      if (type === 'assistant.started') {
        expect(open ?? turn_id).toBe(turn_id);
        open = turn_id;
      } else if (ENDS.includes(type)) {
        expect(open).toBe(turn_id);
        open = null;
      }
    }
  }

  /** The workers die, and another one runs whatever it can take. */
  async function drain(sessionId: string): Promise<void> {
    await Promise.all(['w1', 'w2'].map((worker) => leases.beat(worker, -1)));
    const held: ClaimedTurn[] = [];
    const claim = () => play(sessionId, held, { act: 'claim', worker: 'heir', claim: 0 });
    await claim();
    while (held.length > 0) {
      await play(sessionId, held, { act: 'end', worker: 'heir', claim: 0 });
      held.pop();
      await claim();
    }
  }

  it('let one attempt at a time write, and end each turn once and in order (P2, P3)', async () => {
    await assert(
      asyncProperty(array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
        const sessionId = newIdentifier();
        const held: ClaimedTurn[] = [];
        await accept.accept({ principal: acme, sessionId, message: 'hello' });
        for (const each of steps) {
          await play(sessionId, held, each).catch((error: unknown) => {
            if (!(error instanceof TurnLostError || error instanceof Problem)) throw error;
          });
        }
        checkTimeline(await eventsOf(sessionId));
        await drain(sessionId);
        const events = await eventsOf(sessionId);
        checkTimeline(events);
        const count = (types: string[]) => events.filter(({ type }) => types.includes(type)).length;
        expect(count(ENDS)).toBe(count(['user.message']));
      }),
      { numRuns: 40 },
    );
  }, 120_000);
});
