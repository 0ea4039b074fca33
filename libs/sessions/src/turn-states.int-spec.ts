import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RowEvent } from '@soma/contracts';
import { newIdentifier, Problem } from '@soma/kernel';
import {
  type Arbitrary,
  array,
  assert,
  asyncProperty,
  constantFrom,
  nat,
  record,
} from 'fast-check';
import type { DataSource } from 'typeorm';
import { type AcceptTurns } from './accept-turns.ts';
import { type CancelTurns } from './cancel-turns.ts';
import { type ClaimedTurn, type ClaimTurn } from './claim-turn.ts';
import { acme, openTimeline } from './spec-support.ts';
import { type Timeline } from './timeline.ts';
import { type CallName, type ToolResults } from './tool-results.ts';
import { TurnLostError } from './turn-fence.ts';
import { type WorkerLeases } from './worker-leases.ts';
import { type WriteTurn } from './write-turn.ts';

const final = { type: 'assistant.final', message: 'hi', metadata: {} } as const;
const ENDS = ['assistant.final', 'assistant.error', 'assistant.cancelled'];

const step = record({
  act: constantFrom(
    ...(['say', 'claim', 'claim', 'claim', 'end', 'end', 'cancel', 'handBack'] as const),
    ...(['saveStep', 'restart', 'die', 'wait', 'wait', 'answer', 'answer', 'expire'] as const),
  ),
  worker: constantFrom<'w1' | 'w2' | 'heir'>('w1', 'w2'),
  /** Which of the claims, or of the calls, made so far acts; old ones have mostly been fenced off. */
  of: nat({ max: 3 }),
});
type Act = typeof step extends Arbitrary<infer Each> ? Each : never;

type WriteAct = 'end' | 'handBack' | 'saveStep' | 'restart' | 'wait';

/** One history. */
interface Played {
  sessionId: string;
  /** Whoever ever held a turn, the last one last. */
  held: ClaimedTurn[];
  /** Every call that was ever asked for, also by an attempt that had lost its turn. */
  asked: CallName[];
}

describe('the states of a turn', () => {
  const running = new AsyncDisposableStack();
  let owner: DataSource;
  let accept: AcceptTurns;
  let cancel: CancelTurns;
  let claims: ClaimTurn;
  let turns: WriteTurn;
  let results: ToolResults;
  let leases: WorkerLeases;
  let timeline: Timeline;

  beforeAll(async () => {
    ({ owner, accept, cancel, claims, turns, results, leases, timeline } =
      await openTimeline(running));
  });

  afterAll(() => running.disposeAsync());

  /** What somebody without the turn may do. */
  const acts = {
    say: ({ sessionId }: Played) => accept.accept({ principal: acme, sessionId, message: 'hello' }),
    cancel: ({ sessionId }: Played) => cancel.cancel({ principal: acme, sessionId }),
    die: (_: Played, { worker }: Act) => leases.beat(worker, -1),
    answer: ({ asked }: Played, { of }: Act) => answer(asked.slice(-1 - of), 'ok'),
    expire: async () => answer(await results.overdue(1000), 'timed_out'),
    claim: async ({ sessionId, held }: Played, { worker }: Act) => {
      await leases.beat(worker, 60_000);
      const taken = await claims.claim(
        { tenantId: 'acme', sessionId },
        { workerId: worker, maxPerTenant: 1000 },
      );
      if (taken !== null) held.push(taken);
    },
  };

  /** Everybody who ever held the turn may try anything; only the fence decides. */
  async function play(played: Played, step: Act): Promise<void> {
    if (step.act in acts) {
      await acts[step.act as keyof typeof acts](played, step);
      return;
    }
    const turn = played.held.at(-1 - step.of);
    if (turn !== undefined) await write(step.act as WriteAct, turn, played);
  }

  async function answer(calls: CallName[], status: 'ok' | 'timed_out'): Promise<void> {
    await results.store(calls.map((call) => ({ ...call, outcome: { status, output: status } })));
  }

  async function write(act: WriteAct, turn: ClaimedTurn, { held, asked }: Played): Promise<void> {
    switch (act) {
      case 'end':
        return turns.end(turn, { state: 'done', row: final });
      case 'handBack':
        return turns.handBack(turn);
      case 'saveStep':
        // A holder knows of its own steps: nobody goes on with the turn as it was before.
        held.splice(held.indexOf(turn), 1, await turns.saveStep(turn, { text: 'ab', kept: 1 }));
        return;
      case 'restart':
        held.push(await turns.restart(turn, { outcome: 'failed' }));
        return;
      case 'wait': {
        const calls = [0, 60_000].map((timeoutMs) => {
          const call_id = newIdentifier();
          asked.push({ ...turn, callId: call_id });
          return { call_id, tool: 'look_up', arguments: {}, timeoutMs };
        });
        const text = `${'.'.repeat(turn.keep)}ab`;
        return turns.wait(turn, { text, calls, call: { outcome: 'finished' } });
      }
    }
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
    messages.forEach(({ event_id }) => {
      checkCalls(events.filter(({ turn_id }) => turn_id === event_id));
    });
  }

  /** Of one turn: it goes on when each call has its one result, and from the text that it had. */
  function checkCalls(events: RowEvent[]): void {
    const open = new Set<string>();
    let said = 0;
    for (const { type, tool_call, tool_result, keep = Infinity, text } of events) {
      if (tool_call !== undefined) open.add(tool_call.call_id);
      else if (tool_result !== undefined) expect(open.delete(tool_result.call_id)).toBe(true);
      else if (type !== 'assistant.cancelled') expect(open.size).toBe(0);
      expect(keep).toBeGreaterThanOrEqual(said);
      said = text?.length ?? said;
    }
  }

  /** The workers die, every call is answered, and another worker runs whatever it can take. */
  async function drain({ sessionId, asked }: Played): Promise<void> {
    await Promise.all(['w1', 'w2'].map((worker) => leases.beat(worker, -1)));
    await answer(asked, 'ok');
    const heir: Played = { sessionId, held: [], asked };
    const claim = () => play(heir, { act: 'claim', worker: 'heir', of: 0 });
    await claim();
    while (heir.held.length > 0) {
      await play(heir, { act: 'end', worker: 'heir', of: 0 });
      heir.held.pop();
      await claim();
    }
  }

  it('let one attempt at a time write, and end each turn once and in order (P2, P3)', async () => {
    await assert(
      asyncProperty(array(step, { minLength: 10, maxLength: 50 }), async (steps) => {
        const sessionId = newIdentifier();
        const played: Played = { sessionId, held: [], asked: [] };
        await accept.accept({ principal: acme, sessionId, message: 'hello' });
        for (const each of steps) {
          await play(played, each).catch((error: unknown) => {
            if (!(error instanceof TurnLostError || error instanceof Problem)) throw error;
          });
        }
        checkTimeline(await eventsOf(sessionId));
        await drain(played);
        const events = await eventsOf(sessionId);
        checkTimeline(events);
        const count = (types: string[]) => events.filter(({ type }) => types.includes(type)).length;
        expect(count(ENDS)).toBe(count(['user.message']));
        const ready = await owner.query<Record<string, unknown>[]>(
          'SELECT state FROM conversation.turns WHERE session_id = $1 AND ready_at IS NOT NULL',
          [sessionId],
        );
        expect(ready).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });
});
