import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort, startTraceCollector, type TraceCollector } from '@soma/testing';
import { Client } from './client.ts';
import { expectNowhere, type Sinks } from './sinks.ts';
import { type Pod, startSystem, type System } from './system.ts';

const canary = (name: string) => `canary-${name}-${randomUUID()}`;

describe('secrets', () => {
  const running = new AsyncDisposableStack();
  const modelKey = canary('model');
  let collector: TraceCollector;
  let system: System;
  let gateway: Pod;

  beforeAll(async () => {
    collector = running.use(await startTraceCollector());
    system = await startSystem(running, {
      environment: {
        OPENAI_API_KEY: modelKey,
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        // Nobody is there, so a client's credential is in the hands of an error path.
        IDENTITY_URL: `http://127.0.0.1:${await freePort()}`,
        LOG_LEVEL: 'trace',
      },
    });
    [gateway] = system.gateways as [Pod];
  });

  afterAll(() => running.disposeAsync());

  /** Sends credentials down paths that succeed and paths that fail; answers all that was answered. */
  async function useSecrets(client: Client, clientSecret: string, forged: string): Promise<Sinks> {
    const sessionId = randomUUID();
    await client.say([gateway], 'hello', sessionId);
    // The provider repeats the key in its refusal.
    await client.say([gateway], '!script [{"status":401}]', sessionId);
    const message = { method: 'POST', body: '{"message": ', headers: client.headers };
    const authorization = `Basic ${btoa(`agent:${clientSecret}`)}`;
    const requests: [path: string, options: RequestInit, status: number][] = [
      ['/v1/session/message', message, 400],
      ['/v1/session', { headers: { authorization: `Bearer ${forged}` } }, 401],
      [`/v1/session/${sessionId}/events?ticket=${forged}`, {}, 401],
      ['/oauth/token', { method: 'POST', headers: { authorization } }, 502],
    ];
    const sinks: Sinks = new Map();
    for (const [path, options, status] of requests) {
      const response = await fetch(gateway.url + path, options);
      expect([path, response.status]).toEqual([path, status]);
      sinks.set(`answer ${status} of ${path.replace(/\?.*/, '')}`, await response.text());
    }
    const events = await client.ended(gateway, sessionId, 2);
    expect(events.at(-1)).toMatchObject({ type: 'assistant.error' });
    sinks.set('timeline', JSON.stringify(events));
    const streamed = await client.read(gateway, sessionId, { cursor: '0', turns: 2 });
    return sinks.set('stream', JSON.stringify(streamed));
  }

  /** A ticket that is open, and one that was used. */
  async function ticketsOf(client: Client): Promise<string[]> {
    const sessionId = randomUUID();
    const { cursor } = await client.say([gateway], 'with a ticket', sessionId);
    await client.ended(gateway, sessionId);
    const take = async (): Promise<string> => {
      const path = `/v1/session/${sessionId}/stream-ticket`;
      const response = await client.request(gateway, path, { method: 'POST', body: '{}' });
      return ((await response.json()) as { ticket: string }).ticket;
    };
    const [open, used] = [await take(), await take()];
    const path = `/v1/session/${sessionId}/events?cursor=${cursor}&ticket=${used}`;
    const stop = new AbortController();
    const stream = await fetch(gateway.url + path, { signal: stop.signal });
    expect(stream.status).toBe(200);
    stop.abort();
    return [open, used];
  }

  it('are in no log, answer, event, record, row, metric, trace or process list (P8)', async () => {
    const token = await system.tokenFor();
    const client = new Client(token);
    const [clientSecret, forged] = [canary('client'), canary('forged')];
    const answers = await useSecrets(client, clientSecret, forged);
    const [openTicket = '', usedTicket = ''] = await ticketsOf(client);
    const secrets = {
      modelKey,
      token,
      signature: token.split('.').at(-1),
      clientSecret,
      clientCredential: btoa(`agent:${clientSecret}`),
      forged,
      openTicket,
      usedTicket,
    };
    const seen = ['soma_accepts_waiting', 'with a ticket', 'turn.run', 'session:{acme:'];
    const { headers } = client;
    await expectNowhere(system, { headers, collector, answers, secrets, seen });
  });
});
