import { randomUUID } from 'node:crypto';
import type { Accepted, RowEvent, SessionEvent } from '@soma/contracts';
import { openEventStream, until } from '@soma/testing';
import type { Pod } from './system.ts';

/** The types of rows that end a turn. */
export const ENDS: ReadonlySet<string> = new Set([
  'assistant.final',
  'assistant.cancelled',
  'assistant.error',
]);

/** A partner's program: it speaks to whichever gateway is there, and repeats what fails. */
export class Client {
  readonly headers: Readonly<Record<string, string>>;

  constructor(token: string) {
    this.headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  }

  request(pod: Pod, path: string, options: RequestInit = {}): Promise<Response> {
    return fetch(pod.url + path, {
      ...options,
      headers: { ...this.headers, ...(options.headers as Record<string, string>) },
    });
  }

  /** Sends a message until it is accepted, each try at another gateway, with one key. */
  async say(pods: readonly Pod[], message: string, sessionId: string): Promise<Accepted> {
    const key = randomUUID();
    let tries = 0;
    return until(async () => {
      const pod = pods[tries++ % pods.length];
      if (pod === undefined) throw new Error('There is no gateway.');
      const response = await this.request(pod, '/v1/session/message', {
        method: 'POST',
        headers: { 'idempotency-key': key },
        body: JSON.stringify({ session_id: sessionId, message }),
      }).catch(() => undefined);
      if (response?.status === 202) return (await response.json()) as Accepted;
      if (response !== undefined && response.status < 500) {
        throw new Error(`${response.status}: ${await response.text()}`);
      }
      return undefined;
    });
  }

  async timeline(pod: Pod, sessionId: string): Promise<RowEvent[]> {
    const events: RowEvent[] = [];
    let cursor: string | null = '0';
    while (cursor !== null) {
      const path = `/v1/session/${sessionId}/timeline?limit=200&cursor=${cursor}`;
      const response = await this.request(pod, path);
      if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
      const page = (await response.json()) as { events: RowEvent[]; next_cursor: string | null };
      events.push(...page.events);
      cursor = page.next_cursor;
    }
    return events;
  }

  /** The timeline once so many turns have ended. */
  ended(pod: Pod, sessionId: string, turns = 1): Promise<RowEvent[]> {
    return until(async () => {
      const events = await this.timeline(pod, sessionId);
      return events.filter(({ type }) => ENDS.has(type)).length >= turns && events;
    });
  }

  /** Reads a stream from a cursor until so many turns have ended, or the connection is cut. */
  async read(
    pod: Pod,
    sessionId: string,
    {
      cursor,
      turns = 1,
      cutAfterBytes,
    }: { cursor?: string; turns?: number; cutAfterBytes?: number },
  ): Promise<{ id: string | undefined; event: SessionEvent }[]> {
    const path = `/v1/session/${sessionId}/events`;
    const seen: { id: string | undefined; event: SessionEvent }[] = [];
    const stream = await openEventStream(pod.url + path, {
      headers: { ...this.headers, ...(cursor && { 'last-event-id': cursor }) },
      ...(cutAfterBytes !== undefined && { cutAfterBytes }),
    });
    let left = turns;
    for await (const frame of stream) {
      const event = JSON.parse(frame.data) as SessionEvent;
      seen.push({ id: frame.id, event });
      if (ENDS.has(event.type) && --left === 0) break;
    }
    return seen;
  }
}

/** The text that a reader of these events has before it: pieces, cut back at each `started`. */
export function textOf(events: readonly SessionEvent[]): string {
  let text = '';
  for (const event of events) {
    if (event.type === 'assistant.started') text = text.slice(0, event.keep);
    if (event.type === 'assistant.delta') text += event.message;
  }
  return text;
}
