import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RowEvent } from '@soma/contracts';
import { newIdentifier } from '@soma/kernel';
import { TenantTransaction } from '@soma/persistence';
import type { DataSource } from 'typeorm';
import { AcceptTurns } from './accept-turns.ts';
import { type CancelTurns } from './cancel-turns.ts';
import { type ClaimedTurn, type ClaimTurn } from './claim-turn.ts';
import { type FindTurns } from './find-turns.ts';
import { bodyHash } from './idempotency.ts';
import { type SessionOutbox } from './session-outbox.ts';
import { type Sessions } from './sessions.ts';
import { acme, type Announced, nobody, openTimeline } from './spec-support.ts';
import { type StreamTickets } from './stream-tickets.ts';
import { type Timeline } from './timeline.ts';
import { TurnLostError } from './turn-fence.ts';
import { type WorkerLeases } from './worker-leases.ts';
import { type WriteTurn } from './write-turn.ts';

const LEASE_MS = 60_000;
const FAIR = { maxPerTenant: 100, weights: {} };

describe('turns', () => {
  const running = new AsyncDisposableStack();
  let announced: Announced;
  let owner: DataSource;
  let accept: AcceptTurns;
  let cancel: CancelTurns;
  let claims: ClaimTurn;
  let turns: WriteTurn;
  let find: FindTurns;
  let leases: WorkerLeases;
  let timeline: Timeline;
  let sessions: Sessions;
  let tickets: StreamTickets;
  let outbox: SessionOutbox;

  beforeAll(async () => {
    ({
      announced,
      owner,
      accept,
      cancel,
      claims,
      turns,
      find,
      leases,
      timeline,
      sessions,
      tickets,
      outbox,
    } = await openTimeline(running));
  });

  afterAll(() => running.disposeAsync());

  async function events(sessionId: string): Promise<RowEvent[]> {
    const rows = await timeline.rowsAfter('acme', sessionId, { seq: 0, limit: 1000 });
    return rows.map(({ envelope }) => JSON.parse(envelope) as RowEvent);
  }

  async function claimed(sessionId: string, workerId: string): Promise<ClaimedTurn> {
    await leases.beat(workerId, LEASE_MS);
    const turn = await claims.claim(
      { tenantId: 'acme', sessionId },
      { workerId, maxPerTenant: 1000 },
    );
    if (turn === null) throw new Error('nothing to claim');
    return turn;
  }

  const say = (sessionId: string, message = 'hello') =>
    accept.accept({ principal: acme, sessionId, message });
  const answer = (turn: ClaimedTurn, message = 'hi') =>
    turns.end(turn, { state: 'done', row: { type: 'assistant.final', message, metadata: {} } });

  it('numbers the messages of a session without gaps, also when many come at once', async () => {
    const sessionId = newIdentifier();

    const accepted = await Promise.all(
      Array.from({ length: 40 }, (_, index) => say(sessionId, `message ${index}`)),
    );

    const seqs = accepted.map(({ cursor }) => Number.parseInt(cursor, 10)).sort((a, b) => a - b);
    expect(seqs).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
    expect((await events(sessionId)).map(({ seq }) => seq)).toEqual(seqs);
  });

  it('lets two pods batch the same sessions in opposite order', async () => {
    const ids = Array.from({ length: 20 }, newIdentifier);
    const other = new AcceptTurns(new TenantTransaction(owner), announced);

    const accepted = await Promise.all([
      ...ids.map((sessionId) => say(sessionId)),
      ...ids
        .toReversed()
        .map((sessionId) => other.accept({ principal: acme, sessionId, message: 'hello' })),
    ]);

    expect(accepted).toHaveLength(40);
    expect((await events(ids[7] ?? '')).map(({ seq }) => seq)).toEqual([1, 2]);
  });

  it('stores all of a batch but the one item that cannot be stored', async () => {
    const deleted = newIdentifier();
    await say(deleted);
    await sessions.delete(acme, deleted, nobody);

    const outcomes = await Promise.allSettled([
      say(newIdentifier()),
      say(deleted),
      // PostgreSQL takes no NUL in a text, so that the whole batch fails at first.
      say('nul\u0000'),
      say(newIdentifier()),
    ]);

    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
      'fulfilled',
    ]);
    expect(outcomes[1]).toMatchObject({ reason: { code: 'session_deleted' } });
  });

  it('answers a repeat with the same key the first answer, and another body 409', async () => {
    const sessionId = newIdentifier();
    const request = (message: string, key: string) => ({
      principal: acme,
      sessionId,
      message,
      idempotency: { key, operation: 'POST /v1/session/message', bodyHash: bodyHash({ message }) },
    });

    const concurrent = await Promise.all([
      accept.accept(request('once', 'key-1')),
      accept.accept(request('once', 'key-1')),
    ]);
    const later = await accept.accept(request('once', 'key-1'));
    const conflict = accept.accept(request('twice', 'key-1'));

    await expect(conflict).rejects.toMatchObject({ status: 409, code: 'idempotency_conflict' });
    expect(new Set([...concurrent, later].map(({ event_id }) => event_id)).size).toBe(1);
    expect(await events(sessionId)).toHaveLength(1);
  });

  it('gives a session to one of the people who begin it at once, and to the others nothing (P6)', async () => {
    const people = Array.from({ length: 20 }, (_, index) => `person-${index}`);
    const bystander = accept.accept({ principal: acme, sessionId: 'beside', message: 'Hello' });

    const outcomes = await Promise.allSettled(
      people.map((subject) =>
        accept.accept({
          ...{ principal: { ...acme, subject }, sessionId: 'contested', message: subject },
          mustBecomeOwn: true,
        }),
      ),
    );

    const winners = people.filter((_person, index) => outcomes[index]?.status === 'fulfilled');
    const found = await sessions.find('acme', 'contested');
    expect(winners).toEqual([found?.created_by]);
    expect((await events('contested')).map(({ message }) => message)).toEqual(winners);
    for (const outcome of outcomes.filter(({ status }) => status === 'rejected')) {
      expect(outcome).toMatchObject({ reason: { code: 'session_not_found' } });
    }
    await expect(bystander).resolves.toMatchObject({ session_id: 'beside' });
  });

  it('gives a key back when its request was refused', async () => {
    const sessionId = newIdentifier();
    const request = {
      principal: acme,
      sessionId,
      message: 'summarize',
      idempotency: { key: 'key-2', operation: 'POST /v1/session/action', bodyHash: bodyHash({}) },
    };

    const refused = accept.accept({ ...request, mustExist: true });

    await expect(refused).rejects.toMatchObject({ code: 'session_not_found' });
    await expect(accept.accept(request)).resolves.toMatchObject({ session_id: sessionId });
  });

  it('runs the turns of a session one at a time, in the order of their messages', async () => {
    const sessionId = newIdentifier();
    await say(sessionId, 'first');
    await say(sessionId, 'second');

    const first = await claimed(sessionId, 'w1');
    const meanwhile = await claims.claim(
      { tenantId: 'acme', sessionId },
      { workerId: 'w2', maxPerTenant: 1000 },
    );
    await answer(first, 'one');
    const second = await claimed(sessionId, 'w2');
    await answer(second, 'two');

    expect(meanwhile).toBeNull();
    expect(second.request.message).toBe('second');
    expect(second.history.map(({ message }) => message)).toEqual(['first', 'one']);
    expect((await events(sessionId)).map(({ type, message }) => [type, message])).toEqual([
      ['user.message', 'first'],
      ['user.message', 'second'],
      ['assistant.started', ''],
      ['assistant.final', 'one'],
      ['assistant.started', ''],
      ['assistant.final', 'two'],
    ]);
  });

  it('gives a ready turn to exactly one of many workers', async () => {
    const sessionId = newIdentifier();
    await say(sessionId);

    const racers = Array.from({ length: 8 }, (_, index) => `racer-${index}`);
    // A claim without a lease would be abandoned at once.
    await Promise.all(racers.map((worker) => leases.beat(worker, LEASE_MS)));

    const tries = await Promise.all(
      racers.map((workerId) =>
        claims.claim({ tenantId: 'acme', sessionId }, { workerId, maxPerTenant: 1000 }),
      ),
    );

    expect(tries.filter((turn) => turn !== null)).toHaveLength(1);
  });

  it('fences a worker off whose lease expired, and counts its death and its lost call (P3)', async () => {
    const sessionId = newIdentifier();
    await say(sessionId);
    const sleeper = await claimed(sessionId, 'sleeper');
    await leases.beat('sleeper', -1);

    const abandoned = await find.abandoned(1000);
    const heir = await claimed(sessionId, 'heir');
    const late = answer(sleeper, 'too late');

    await expect(late).rejects.toThrow(TurnLostError);
    expect(abandoned).toContainEqual({ tenantId: 'acme', sessionId });
    expect(heir).toMatchObject({ attempt: 2, deaths: 1 });
    await answer(heir, 'in time');
    const finals = (await events(sessionId)).filter(({ type }) => type === 'assistant.final');
    expect(finals.map(({ message }) => message)).toEqual(['in time']);
    await expect(
      owner.query(`SELECT attempt, outcome FROM conversation.model_calls WHERE session_id = $1`, [
        sessionId,
      ]),
    ).resolves.toEqual([{ attempt: 1, outcome: 'lost' }]);
  });

  it('lets a worker past its lease commit while nobody has taken its turn', async () => {
    const sessionId = newIdentifier();
    await say(sessionId);
    const turn = await claimed(sessionId, 'slow');
    await leases.beat('slow', -1);

    await expect(answer(turn)).resolves.toBeUndefined();
  });

  it('goes on after the last finished step', async () => {
    const sessionId = newIdentifier();
    await say(sessionId);
    const turn = await claimed(sessionId, 'stepper');
    const stepped = await turns.saveStep(turn, { text: 'Hello ', kept: 6 });
    await turns.handBack(stepped);

    const next = await claimed(sessionId, 'stepper-2');

    expect(next).toMatchObject({ attempt: 2, deaths: 0, keep: 6, steps: [{ text: 'Hello ' }] });
    expect((await events(sessionId)).at(-1)).toMatchObject({ type: 'assistant.started', keep: 6 });
  });

  it('tells of what a summary covers no more, and what all calls of a turn have used', async () => {
    const sessionId = newIdentifier();
    const say3 = ['first', 'second', 'third'].map((message) => () => say(sessionId, message));
    for (const sayNext of say3) await sayNext();
    await answer(await claimed(sessionId, 'w-told'), 'one');
    await answer(await claimed(sessionId, 'w-told'), 'two');
    const usage = { input_tokens: 10, output_tokens: 2, cached_input_tokens: 1 };
    const call = { outcome: 'finished', usage } as const;
    const third = await claimed(sessionId, 'w-told');
    const text = 'first was answered';
    const told = await turns.saveSummary(third, {
      ...{ throughSeq: 1, text, call: { ...call, summarisedTo: 1 } },
    });
    const again = await turns.restart(told, call);
    await turns.handBack(again);

    const next = await claimed(sessionId, 'w-told');

    expect([third.summary, third.history.length]).toEqual([null, 4]);
    expect(next).toMatchObject({ hasOlder: false, summary: { throughSeq: 1, text } });
    expect(next.history.map(({ message }) => message)).toEqual(['second', 'two']);
    expect(next.usage).toEqual({ input_tokens: 20, output_tokens: 4, cached_input_tokens: 2 });
    expect(next.usage).toEqual(again.usage);
  });

  it('opens a new attempt in the same hands', async () => {
    const sessionId = newIdentifier();
    await say(sessionId);
    const turn = await claimed(sessionId, 'again');

    const restarted = await turns.restart(turn, { outcome: 'failed' });

    await expect(answer(turn)).rejects.toThrow(TurnLostError);
    expect(restarted).toMatchObject({ attempt: 2, startedSeq: 3 });
    await expect(answer(restarted)).resolves.toBeUndefined();
  });

  it('lets exactly one of cancel and answer win, a thousand times', async () => {
    const race = async (): Promise<void> => {
      const sessionId = newIdentifier();
      await say(sessionId);
      const turn = await claimed(sessionId, 'duellist');

      const outcomes = await Promise.allSettled([
        answer(turn),
        cancel.cancel({ principal: acme, sessionId }),
      ]);

      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const types = (await events(sessionId)).map(({ type }) => type);
      expect(['assistant.final', 'assistant.cancelled']).toContain(types.at(-1));
      expect(types).toHaveLength(3);
    };
    for (let round = 0; round < 100; round++) {
      await Promise.all(Array.from({ length: 10 }, race));
    }
  });

  it('answers 409 to a later cancel, and its first answer to a repeat with the key', async () => {
    const sessionId = newIdentifier();
    await say(sessionId);
    await claimed(sessionId, 'w-cancel');
    const request = {
      principal: acme,
      sessionId,
      idempotency: { key: 'stop', operation: 'POST cancel', bodyHash: bodyHash({}) },
    };

    const first = await cancel.cancel(request);
    const repeat = await cancel.cancel(request);
    const later = cancel.cancel({ principal: acme, sessionId });

    expect(repeat).toEqual(first);
    await expect(later).rejects.toMatchObject({ status: 409, code: 'turn_ended' });
    expect(await events(sessionId)).toHaveLength(3);
  });

  it('cancels the running turn and leaves the queued ones to run', async () => {
    const sessionId = newIdentifier();
    await say(sessionId, 'first');
    await say(sessionId, 'second');
    await claimed(sessionId, 'w-queue');

    await cancel.cancel({ principal: acme, sessionId });

    const next = await claimed(sessionId, 'w-queue');
    expect(next.request.message).toBe('second');
  });

  it('erases a session for good and fails what comes late', async () => {
    const sessionId = newIdentifier();
    await say(sessionId, 'a secret');
    const turn = await claimed(sessionId, 'w-delete');
    const summary = { throughSeq: 0, text: 'a secret' };
    await turns.saveSummary(turn, summary);
    const summaries = () =>
      owner.query(`SELECT FROM conversation.session_summaries WHERE session_id = $1`, [sessionId]);
    await expect(summaries()).resolves.toHaveLength(1);

    await sessions.delete(acme, sessionId, nobody);

    await expect(answer(turn)).rejects.toThrow(TurnLostError);
    await expect(turns.saveSummary(turn, summary)).rejects.toThrow(TurnLostError);
    await expect(summaries()).resolves.toEqual([]);
    await expect(say(sessionId)).rejects.toMatchObject({ status: 409, code: 'session_deleted' });
    await expect(sessions.find('acme', sessionId)).resolves.toBeNull();
    await expect(timeline.find('acme', sessionId)).resolves.toBeNull();
    const left = await owner.query<{ envelope: RowEvent }[]>(
      `SELECT envelope FROM conversation.session_events WHERE session_id = $1`,
      [sessionId],
    );
    expect(left.map(({ envelope }) => envelope.type)).toEqual(['session.updated']);
  });

  const of = (tenantId: string) => ({ ...acme, tenant_id: tenantId });
  const queue = (tenantId: string, count: number) =>
    Promise.all(
      Array.from({ length: count }, () =>
        accept.accept({ principal: of(tenantId), message: 'queued' }),
      ),
    );

  /** One slot: whoever is next runs to the end, as often as asked. Who they were, in order. */
  async function serve(times: number, share = FAIR): Promise<(string | undefined)[]> {
    const served: (string | undefined)[] = [];
    for (let round = 0; round < times; round++) {
      const [next] = await find.ready(1, share);
      const turn = next && (await claims.claim(next, { workerId: 'one-slot', maxPerTenant: 9 }));
      if (turn) await answer(turn);
      served.push(next?.tenantId);
    }
    return served;
  }

  it("serves another tenant's single turn next, whatever has queued up before it", async () => {
    await leases.beat('one-slot', LEASE_MS);
    await queue('flood', 10_000);
    const before = await serve(3);
    await queue('rival', 20);
    await serve(4);
    await queue('newcomer', 1);

    const heavy = { maxPerTenant: 100, weights: { flood: 50 } };
    const after = await serve(2, heavy);

    expect(before).toEqual(['flood', 'flood', 'flood']);
    expect(after).toContain('newcomer');
  });

  it('serves tenants by their weights, also with one slot', async () => {
    await leases.beat('one-slot', LEASE_MS);
    await queue('flood', 40);
    await queue('rival', 20);

    const served = await serve(30, { maxPerTenant: 100, weights: { flood: 3 } });
    const many = await find.ready(8, { maxPerTenant: 100, weights: { flood: 3 } });

    const turnsOf = (names: (string | undefined)[]) =>
      names.filter((name) => name === 'rival').length;
    expect(new Set(served)).toEqual(new Set(['flood', 'rival']));
    expect(turnsOf(served)).toBeGreaterThan(3);
    expect(turnsOf(served)).toBeLessThan(13);
    expect(turnsOf(many.map(({ tenantId }) => tenantId))).toBe(2);
  });

  it('holds a tenant to its limit of turns at once, in the search and in the claim', async () => {
    await leases.beat('one-slot', LEASE_MS);
    const sessions = (await queue('capped', 4)).map(({ session_id }) => session_id);
    const claim = (sessionId: string) =>
      claims.claim({ tenantId: 'capped', sessionId }, { workerId: 'one-slot', maxPerTenant: 2 });
    const ready = async () => {
      const found = await find.ready(1000, { maxPerTenant: 2, weights: { capped: 0.1 } });
      return found.filter(({ tenantId }) => tenantId === 'capped').length;
    };

    const atFirst = await ready();
    const first = await claim(sessions[0] ?? '');
    const withOne = await ready();
    const second = await claim(sessions[1] ?? '');
    const withTwo = await ready();
    const third = await claim(sessions[2] ?? '');
    if (first !== null) await answer(first);

    expect([atFirst, withOne, withTwo]).toEqual([2, 1, 0]);
    expect([first, second, third].map((turn) => turn !== null)).toEqual([true, true, false]);
    await expect(claim(sessions[2] ?? '')).resolves.not.toBeNull();
  });

  it('tells a worker what runs in its name', async () => {
    const sessionId = newIdentifier();
    await say(sessionId);
    const { seq, attempt } = await claimed(sessionId, 'holder');

    await expect(leases.beat('holder', LEASE_MS)).resolves.toEqual([
      { tenantId: 'acme', sessionId, seq, attempt },
    ]);
  });

  it('shows no tenant the sessions of another', async () => {
    const sessionId = newIdentifier();
    await say(sessionId);

    await expect(timeline.find('globex', sessionId)).resolves.toBeNull();
    await expect(sessions.find('globex', sessionId)).resolves.toBeNull();
    await expect(timeline.rowsAfter('globex', sessionId, { seq: 0, limit: 9 })).resolves.toEqual(
      [],
    );
  });

  it('begins a stream at the oldest unfinished turn, else at the last message', async () => {
    const sessionId = newIdentifier();
    await say(sessionId, 'first');
    await say(sessionId, 'second');
    await expect(timeline.streamStart('acme', sessionId)).resolves.toEqual({ seq: 0, offset: 0 });

    await answer(await claimed(sessionId, 'w-start'));
    await answer(await claimed(sessionId, 'w-start'));

    await expect(timeline.streamStart('acme', sessionId)).resolves.toEqual({ seq: 1, offset: 0 });
  });

  it('takes a stream ticket once, for its own session', async () => {
    const sessionId = newIdentifier();
    await say(sessionId);
    const { ticket } = await tickets.issue(acme, sessionId);

    await expect(tickets.take(ticket, 'another')).resolves.toBeNull();
    await expect(tickets.take(ticket, sessionId)).resolves.toEqual(acme);
    await expect(tickets.take(ticket, sessionId)).resolves.toBeNull();
  });

  /** Publishes all that is left, and answers which rows those were. */
  async function relay(): Promise<string[]> {
    const seen: string[] = [];
    while (
      (await outbox.takeUnpublished(500, 0, (rows) => {
        seen.push(...rows.map(({ id }) => id));
        return Promise.resolve();
      })) > 0
    );
    return seen;
  }

  it('hands every unpublished row to the relay once and marks it', async () => {
    const written = await queue('relayed', 600);

    const seen = await relay();

    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual(
      expect.arrayContaining(written.map(({ session_id }) => `relayed/${session_id}/1`)),
    );
    await expect(outbox.backlog(10)).resolves.toEqual({ count: 0, oldestAgeSeconds: 0 });
  });

  it('marks the rows that were published from memory', async () => {
    await relay();
    const sessionId = newIdentifier();
    await say(sessionId);

    await outbox.markPublished([`acme/${sessionId}/1`]);

    await expect(outbox.backlog(10)).resolves.toMatchObject({ count: 0 });
  });
});
