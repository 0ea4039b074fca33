import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from './client.ts';
import { followSession } from './follow-session.ts';
import { type Pod, startSystem, type System } from './system.ts';

const SESSIONS = 1_000;
const MESSAGES = 10;
/** Messages on their way to a gateway at once. */
const CLIENTS = 48;
const KILL_EVERY_MS = 8_000;
const FOLLOWED = 10;

describe('a thousand sessions while pods are killed', () => {
  const running = new AsyncDisposableStack();
  let system: System;
  let client: Client;

  beforeAll(async () => {
    const environment = {
      // The machine may be busy: a late heartbeat must not look like a death.
      LEASE_MS: '5000',
      // Few at once: each kill counts as a death of what runs, and three in a row end a turn.
      MAX_TURNS: '12',
      // What decides on requests has tests of its own, and here a machine of its own it has not.
      ...{ NODE_ENV: 'development', OPA_URL: '', OPENFGA_API_URL: '' },
    };
    system = await startSystem(running, { gateways: 2, workers: 2, environment });
    client = new Client(await system.tokenFor());
  });

  afterAll(() => running.disposeAsync());

  /** Kills a gateway and a worker every few seconds and starts them again, in turn. */
  async function killInTurn(done: AbortSignal): Promise<number> {
    let kills = 0;
    while (!done.aborted) {
      await delay(KILL_EVERY_MS);
      const victims = [system.gateways, system.workers].map((pods) => pods[kills % pods.length]);
      await Promise.all(
        victims.map(async (pod) => {
          await pod?.kill();
          await pod?.start();
        }),
      );
      kills++;
    }
    return kills;
  }

  async function sayAll(ids: readonly string[]): Promise<void> {
    const jobs = Array.from({ length: MESSAGES }, (_, round) =>
      ids.map((id) => ({ id, text: `message ${round}` })),
    ).flat();
    let next = 0;
    const work = async (offset: number): Promise<void> => {
      for (let job = jobs[next++]; job !== undefined; job = jobs[next++]) {
        await client.say(rotate(system.gateways, offset), job.text, job.id);
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, (_, index) => work(index)));
  }

  async function untilAnswered(): Promise<void> {
    let pending = Infinity;
    while (pending > 0) {
      await delay(250);
      const rows = await system.query<{ pending: number }>(
        `SELECT count(*)::int AS pending FROM conversation.turns
          WHERE state IN ('pending', 'running', 'waiting')`,
      );
      pending = rows[0]?.pending ?? 0;
    }
  }

  it('loses no message, answers none twice, and keeps every order (P1, P2, P3, P4)', async () => {
    const ids = Array.from({ length: SESSIONS }, () => randomUUID());
    const done = new AbortController();
    const killing = killInTurn(done.signal);
    const saying = sayAll(ids);
    const following = ids
      .slice(0, FOLLOWED)
      .map((id) => followSession(client, system.gateways, { id, turns: MESSAGES }));

    await saying;
    await untilAnswered();
    done.abort();
    const [kills, followed] = await Promise.all([killing, Promise.all(following)]);

    const total = SESSIONS * MESSAGES;
    const [counts] = await system.query(COUNTS);
    expect(counts).toEqual({
      messages: total,
      finals: total,
      answered: total,
      gaps: 0,
      out_of_order: 0,
    });
    expect(kills).toBeGreaterThan(0);
    for (const events of followed) {
      const seqs = events.map(({ seq }) => seq);
      expect(seqs).toEqual(seqs.map((_, index) => index + 1));
    }
  }, 700_000);
});

function rotate(pods: readonly Pod[], by: number): Pod[] {
  const at = by % pods.length;
  return [...pods.slice(at), ...pods.slice(0, at)];
}

const COUNTS = `
  WITH event AS (SELECT * FROM conversation.session_events),
       final AS (SELECT * FROM event WHERE type = 'assistant.final')
  SELECT (SELECT count(*)::int FROM event WHERE type = 'user.message') AS messages,
         (SELECT count(*)::int FROM final) AS finals,
         (SELECT count(DISTINCT turn_id)::int FROM final) AS answered,
         (SELECT count(*)::int FROM (
            SELECT session_id FROM event GROUP BY session_id HAVING max(seq) <> count(*)) AS gap
         ) AS gaps,
         (SELECT count(*)::int FROM (
            SELECT message.seq < lag(message.seq) OVER (
                     PARTITION BY final.session_id ORDER BY final.seq) AS is_wrong
              FROM final JOIN event AS message
                ON message.session_id = final.session_id AND message.event_id = final.turn_id
          ) AS answer WHERE is_wrong) AS out_of_order`;
