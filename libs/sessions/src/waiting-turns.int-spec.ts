import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type RowEvent, toolRequests } from '@soma/contracts';
import { newIdentifier } from '@soma/kernel';
import { TenantTransaction } from '@soma/persistence';
import type { DataSource } from 'typeorm';
import { type AcceptTurns } from './accept-turns.ts';
import type { AwaitedCall } from './begin-wait.ts';
import { type CancelTurns } from './cancel-turns.ts';
import { type ClaimedTurn, type ClaimTurn } from './claim-turn.ts';
import { type FindTurns } from './find-turns.ts';
import { type SessionOutbox } from './session-outbox.ts';
import { type Sessions } from './sessions.ts';
import { acme, type Announced, globex, nobody, openTimeline } from './spec-support.ts';
import { type Timeline } from './timeline.ts';
import type { OutboxRow } from './timeline-row.ts';
import { type CallResult, type ToolResults } from './tool-results.ts';
import { TurnLostError } from './turn-fence.ts';
import { type WorkerLeases } from './worker-leases.ts';
import { WriteTurn } from './write-turn.ts';

/** A connection that breaks once, after a commit and before its answer. */
class LosesOneAnswer extends TenantTransaction {
  #isDue = true;

  override async run<Result>(...work: Parameters<TenantTransaction['run']>): Promise<Result> {
    const result = await super.run(...work);
    if (!this.#isDue) return result as Result;
    this.#isDue = false;
    throw new Error('Connection terminated unexpectedly');
  }
}

const FAIR = { maxPerTenant: 100, weights: {} };

describe('a turn that waits', () => {
  const running = new AsyncDisposableStack();
  let announced: Announced;
  let owner: DataSource;
  let worker: DataSource;
  let accept: AcceptTurns;
  let cancel: CancelTurns;
  let sessions: Sessions;
  let timeline: Timeline;
  let claims: ClaimTurn;
  let turns: WriteTurn;
  let results: ToolResults;
  let find: FindTurns;
  let leases: WorkerLeases;
  let outbox: SessionOutbox;

  beforeAll(async () => {
    ({
      announced,
      owner,
      worker,
      accept,
      cancel,
      sessions,
      timeline,
      claims,
      turns,
      results,
      find,
      leases,
      outbox,
    } = await openTimeline(running));
    await leases.beat('worker', 600_000);
  });

  afterAll(() => running.disposeAsync());

  async function events(sessionId: string, tenantId = 'acme'): Promise<RowEvent[]> {
    const rows = await timeline.rowsAfter(tenantId, sessionId, { seq: 0, limit: 1000 });
    return rows.map(({ envelope }) => JSON.parse(envelope) as RowEvent);
  }

  async function typesOf(sessionId: string): Promise<string[]> {
    return (await events(sessionId)).map(({ type }) => type);
  }

  const claim = (sessionId: string, tenantId = 'acme'): Promise<ClaimedTurn | null> =>
    claims.claim({ tenantId, sessionId }, { workerId: 'worker', maxPerTenant: 1000 });

  async function claimed(sessionId: string, tenantId?: string): Promise<ClaimedTurn> {
    const turn = await claim(sessionId, tenantId);
    if (turn === null) throw new Error('nothing to claim');
    return turn;
  }

  const callOf = (timeoutMs = 60_000): AwaitedCall => ({
    call_id: newIdentifier(),
    tool: 'look_up',
    arguments: { city: 'Köln' },
    timeoutMs,
  });

  /** A session whose turn has said something and waits for as many calls as there are timeouts. */
  async function waiting(timeoutsMs = [60_000], principal = acme) {
    const sessionId = newIdentifier();
    await accept.accept({ principal, sessionId, message: 'hello' });
    const turn = await claimed(sessionId, principal.tenant_id);
    const calls = timeoutsMs.map(callOf);
    await turns.wait(turn, { text: 'Let me see. ', calls, call: { outcome: 'finished' } });
    const named = calls.map(({ call_id: callId }) => ({
      ...{ tenantId: principal.tenant_id, sessionId, callId, attempt: turn.attempt },
    }));
    return { sessionId, turn, calls: named };
  }

  const ok = (call: Omit<CallResult, 'outcome'>, output = 'fine'): CallResult => ({
    ...call,
    outcome: { status: 'ok', output },
  });

  it('has a row for each call, which says all that was said and asked for', async () => {
    const { sessionId, turn } = await waiting([60_000, 60_000]);

    const rows = await events(sessionId);

    expect(rows.map(({ type }) => type).slice(2)).toEqual(['tool.start', 'tool.start']);
    expect(rows.at(-1)).toMatchObject({
      role: 'assistant',
      text: 'Let me see. ',
      turn_id: turn.turnId,
      tool_call: { tool: 'look_up', arguments: { city: 'Köln' }, attempt: 1 },
    });
    await expect(timeline.turnState('acme', turn.request)).resolves.toBe('waiting');
    await expect(claim(sessionId)).resolves.toBeNull();
  });

  it('asks for its calls by the same rows, from memory and by the poll', async () => {
    const { sessionId, calls } = await waiting();
    const requestsIn = (rows: OutboxRow[]): unknown[] =>
      rows
        .flatMap(({ records }) => records)
        .filter(({ topic, value }) => topic === toolRequests.name && value.includes(sessionId))
        .map(({ value }) => toolRequests.schema.parse(JSON.parse(value)));
    const polled: OutboxRow[] = [];

    await outbox.takeUnpublished(1000, 0, (rows) => {
      polled.push(...rows);
      return Promise.resolve();
    });

    const [request] = requestsIn(announced.rows);
    expect(request).toMatchObject({
      type: 'tool.request',
      call_id: calls[0]?.callId,
      attempt: 1,
      principal: { subject: 'ada' },
      argument_hash: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
    });
    expect(requestsIn(polled)).toEqual([request]);
  });

  it('goes on from the saved step once each of its calls has a result', async () => {
    const { sessionId, calls } = await waiting([60_000, 60_000]);
    const [first, second] = calls as [CallResult, CallResult];

    const half = await results.store([ok(second, 'two')]);
    const between = await claim(sessionId);
    const whole = await results.store([ok(first, 'one')]);

    expect(half).toEqual({ count: 1, ready: [] });
    expect(between).toBeNull();
    expect(whole).toEqual({ count: 1, ready: [{ tenantId: 'acme', sessionId }] });
    await expect(find.ready(1000, FAIR)).resolves.toContainEqual({ tenantId: 'acme', sessionId });
    const next = await claimed(sessionId);
    expect(next).toMatchObject({ attempt: 2, keep: 12, deaths: 0 });
    expect(next.steps).toEqual([
      {
        text: 'Let me see. ',
        kept: 12,
        calls: calls.map(({ callId: call_id }) => ({
          ...{ call_id, tool: 'look_up', arguments: { city: 'Köln' } },
        })),
      },
      { call_id: second.callId, status: 'ok', output: 'two' },
      { call_id: first.callId, status: 'ok', output: 'one' },
    ]);
    expect((await events(sessionId)).at(-1)).toMatchObject({ type: 'assistant.started', keep: 12 });
  });

  it('takes one result of a call, also when it comes twice in a batch (P3)', async () => {
    const { sessionId, calls } = await waiting();
    const [call] = calls as [CallResult];

    const batch = await results.store([ok(call, 'first'), ok(call, 'second')]);
    const late = await results.store([ok(call, 'third')]);

    expect([batch.count, late.count]).toEqual([1, 0]);
    const rows = (await events(sessionId)).filter(({ type }) => type === 'tool.result');
    expect(rows.map(({ tool_result }) => tool_result?.output)).toEqual(['first']);
    expect(rows[0]).toMatchObject({ role: 'tool', principal: { subject: 'ada' } });
    expect((await claimed(sessionId)).steps).toHaveLength(2);
  });

  it('ignores a result that names another attempt, another call or another session', async () => {
    const { sessionId, calls } = await waiting();
    const [call] = calls as [CallResult];
    const other = await waiting();

    const { count, ready } = await results.store([
      ok({ ...call, attempt: 2 }),
      ok({ ...call, attempt: 0 }),
      ok({ ...call, callId: newIdentifier() }),
      ok({ ...call, sessionId: other.sessionId }),
      ok({ ...call, tenantId: 'globex' }),
    ]);

    expect([count, ready]).toEqual([0, []]);
    expect(await typesOf(sessionId)).not.toContain('tool.result');
  });

  it('stores the results of several tenants together', async () => {
    const [one, other] = [await waiting([60_000], globex), await waiting()];

    const { ready } = await results.store([...one.calls, ...other.calls].map((call) => ok(call)));

    expect(ready).toEqual([
      { tenantId: 'acme', sessionId: other.sessionId },
      { tenantId: 'globex', sessionId: one.sessionId },
    ]);
    expect((await events(one.sessionId, 'globex')).at(-1)?.type).toBe('tool.result');
  });

  it('shows the sweep a call past its deadline, and no other', async () => {
    const overdue = await waiting([0]);
    const patient = await waiting([60_000]);

    const found = await results.overdue(1000);

    expect(found).toEqual(expect.arrayContaining(overdue.calls));
    expect(found).not.toEqual(expect.arrayContaining(patient.calls));
  });

  it('lets exactly one of the result and the clock win', async () => {
    const race = async (): Promise<void> => {
      const { sessionId, calls } = await waiting([0]);
      const [call] = calls as [CallResult];

      const stored = await Promise.all([
        results.store([ok(call)]),
        results.store([{ ...call, outcome: { status: 'timed_out', output: null } }]),
      ]);

      expect(stored.map(({ count }) => count).sort()).toEqual([0, 1]);
      expect((await typesOf(sessionId)).slice(2)).toEqual(['tool.start', 'tool.result']);
    };
    await Promise.all(Array.from({ length: 20 }, race));
  });

  it('is ended by a cancel; what comes later is ignored, and the next turn is ready', async () => {
    const { sessionId, calls, turn } = await waiting([0]);
    await accept.accept({ principal: acme, sessionId, message: 'next' });

    await cancel.cancel({ principal: acme, sessionId });

    const late = await results.store(calls.map((call) => ok(call)));
    expect(late).toEqual({ count: 0, ready: [] });
    expect(await results.overdue(1000)).not.toEqual(expect.arrayContaining(calls));
    expect((await typesOf(sessionId)).at(-1)).toBe('assistant.cancelled');
    await expect(timeline.turnState('acme', turn.request)).resolves.toBe('cancelled');
    expect((await claimed(sessionId)).request.message).toBe('next');
  });

  it('goes on waiting when a queued turn of its session is cancelled', async () => {
    const { sessionId, calls } = await waiting();
    const { event_id } = await accept.accept({ principal: acme, sessionId, message: 'next' });

    await cancel.cancel({ principal: acme, sessionId, turnId: event_id });

    const { count } = await results.store(calls.map((call) => ok(call)));
    expect(count).toBe(1);
  });

  it('lets exactly one of cancel and result win', async () => {
    const race = async (): Promise<void> => {
      const { sessionId, calls } = await waiting();

      const [, stored] = await Promise.all([
        cancel.cancel({ principal: acme, sessionId }),
        results.store(calls.map((call) => ok(call))),
      ]);

      const types = (await typesOf(sessionId)).slice(3);
      expect(types).toEqual([
        ...(stored.count === 1 ? ['tool.result'] : []),
        'assistant.cancelled',
      ]);
      await expect(claim(sessionId)).resolves.toBeNull();
    };
    await Promise.all(Array.from({ length: 20 }, race));
  });

  it('leaves nothing when its session is deleted', async () => {
    const { sessionId, calls } = await waiting();

    await sessions.delete(acme, sessionId, nobody);

    const late = await results.store(calls.map((call) => ok(call)));
    expect(late).toEqual({ count: 0, ready: [] });
    for (const table of ['open_calls', 'turn_steps', 'turns']) {
      await expect(
        owner.query(`SELECT FROM conversation.${table} WHERE session_id = $1`, [sessionId]),
      ).resolves.toEqual([]);
    }
  });

  it('is begun by the attempt that runs it alone (P3)', async () => {
    const sessionId = newIdentifier();
    await accept.accept({ principal: acme, sessionId, message: 'hello' });
    const first = await claimed(sessionId);
    await turns.handBack(first);
    await claimed(sessionId);

    const late = turns.wait(first, {
      ...{ text: '', calls: [callOf()], call: { outcome: 'finished' as const } },
    });

    await expect(late).rejects.toThrow(TurnLostError);
    expect(await typesOf(sessionId)).not.toContain('tool.start');
  });

  it('is begun once when the answer to its commit is lost (P3)', async () => {
    const sessionId = newIdentifier();
    await accept.accept({ principal: acme, sessionId, message: 'hello' });
    const turn = await claimed(sessionId);
    const calls = [callOf(), callOf()];

    await new WriteTurn(new LosesOneAnswer(worker), announced).wait(turn, {
      ...{ text: 'Hm.', calls, call: { outcome: 'finished' as const } },
    });

    const started = (await events(sessionId)).flatMap(({ tool_call }) => tool_call?.call_id ?? []);
    expect(started).toEqual(calls.map(({ call_id }) => call_id));
  });

  it('is nobody’s: a worker that dies meanwhile takes nothing with it', async () => {
    const { sessionId, calls, turn } = await waiting();
    await leases.end('worker');
    await leases.beat('worker', 600_000);

    expect(await find.abandoned(1000)).not.toContainEqual({ tenantId: 'acme', sessionId });
    await expect(leases.beat('worker', 600_000)).resolves.not.toContainEqual(
      expect.objectContaining({ sessionId }),
    );
    await results.store(calls.map((call) => ok(call)));
    expect(await claimed(sessionId)).toMatchObject({ attempt: 2, deaths: 0 });
    await expect(
      owner.query(`SELECT attempt, outcome FROM conversation.model_calls WHERE turn_id = $1`, [
        turn.turnId,
      ]),
    ).resolves.toEqual([{ attempt: 1, outcome: 'finished' }]);
  });
});
