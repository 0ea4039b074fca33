import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SessionEvent } from '@soma/contracts';
import {
  type CollectedSpan,
  openEventStream,
  startTraceCollector,
  type TraceCollector,
} from '@soma/testing';
import { Client, ENDS } from './client.ts';
import { type Pod, startSystem, type System } from './system.ts';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const SOCKET_TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER_ID = 'b7ad6b7169203331';
const causedByCaller = (traceId: string) => ({ traceparent: `00-${traceId}-${CALLER_ID}-01` });

/** Its model fails once, which a worker logs. */
const FAILING = '!attempts [[{"status":500}],[{"text":"Yes."}]]';

describe('what a system tells of itself', () => {
  const running = new AsyncDisposableStack();
  const [sessionId, socketSessionId] = [randomUUID(), randomUUID()];
  let collector: TraceCollector;
  let system: System;
  let gateway: Pod;
  let client: Client;
  let metrics: string;

  beforeAll(async () => {
    collector = running.use(await startTraceCollector());
    const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
    system = await startSystem(running, { environment });
    [gateway] = system.gateways as [Pod];
    client = new Client(await system.tokenFor());
    await Promise.all([
      client.say([gateway], 'before', sessionId),
      client.say([gateway], 'before', socketSessionId),
    ]);
    await Promise.all([speakOverHttp(), speakOverSocket()]);
    const pods = [...system.gateways, ...system.workers];
    metrics = (await Promise.all(pods.map(readMetrics))).join('\n');
    // A process that stops sends the rest.
    await Promise.all(pods.map((pod) => pod.stop()));
  });

  afterAll(() => running.disposeAsync());

  /** Once the first answer is there, so that the stream hears what follows and need not read it. */
  async function speakOverHttp(): Promise<void> {
    const stream = await openEventStream(`${gateway.url}/v1/session/${sessionId}/events`, {
      headers: { ...client.headers },
    });
    let ends = 0;
    for await (const frame of stream) {
      if (!ENDS.has((JSON.parse(frame.data) as SessionEvent).type)) continue;
      if (++ends === 2) break;
      const response = await client.request(gateway, '/v1/session/message', {
        method: 'POST',
        headers: { ...causedByCaller(TRACE_ID), 'x-request-id': 'asked-1' },
        body: JSON.stringify({ session_id: sessionId, message: FAILING }),
      });
      expect(response.status).toBe(202);
    }
  }

  async function speakOverSocket(): Promise<void> {
    await client.ended(gateway, socketSessionId);
    const url = `${gateway.url.replace('http', 'ws')}/v1/session/${socketSessionId}/stream`;
    const headers = { ...client.headers, ...causedByCaller(SOCKET_TRACE_ID) };
    const socket = new WebSocket(`${url}?cursor=3.0`, { headers });
    const { promise: isEnded, resolve } = Promise.withResolvers<undefined>();
    socket.addEventListener('message', ({ data }) => {
      if (ENDS.has((JSON.parse(String(data)) as SessionEvent).type)) resolve(undefined);
    });
    socket.addEventListener('open', () => {
      socket.send(JSON.stringify({ type: 'message', message: 'And?', request_id: 'frame-1' }));
    });
    await isEnded;
    socket.close();
  }

  const readMetrics = async ({ url }: Pod): Promise<string> =>
    (await fetch(`${url}/metrics`)).text();

  const spansOf = (traceId: string): CollectedSpan[] =>
    collector.spans().filter((span) => span.traceId === traceId);

  const linesOf = async (pod: string, session: string): Promise<Record<string, unknown>[]> =>
    (await readFile(join(system.logs, `${pod}.log`), 'utf8'))
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ session_id }) => session_id === session);

  it('traces from the caller through Kafka, a worker and Kafka to the stream', () => {
    const spans = spansOf(TRACE_ID);
    const named = (name: string) => spans.filter((span) => span.name === name);
    const [accept] = named('POST /v1/session/message');
    const [turn] = named('turn.run');
    const attributes = { 'tenant.id': 'acme', 'request.id': 'asked-1' };
    expect(accept).toMatchObject({ service: 'gateway', parentSpanId: CALLER_ID, attributes });
    expect(turn).toMatchObject({
      service: 'conversation-worker',
      parentSpanId: accept?.spanId,
      attributes: { ...attributes, 'circuit.state': 'closed' },
    });
    const delivered = named('stream.deliver');
    expect(delivered.map(({ parentSpanId }) => parentSpanId)).toEqual(
      // The message and the start of its answer come of the request, its end of the turn.
      [accept, accept, turn].map((span) => span?.spanId),
    );
    for (const each of delivered) expect(each).toMatchObject({ attributes });
    expect(spans).toHaveLength(5);
  });

  it('traces from who opens a WebSocket, by way of each of its frames', () => {
    const spans = spansOf(SOCKET_TRACE_ID);
    const named = (name: string) => spans.find((span) => span.name === name);
    const frame = named('FRAME message');
    const attributes = { 'tenant.id': 'acme', 'request.id': 'frame-1' };
    expect(named('GET /v1/session/:id/stream')).toMatchObject({ parentSpanId: CALLER_ID });
    expect(frame).toMatchObject({ parentSpanId: CALLER_ID, attributes });
    expect(named('turn.run')).toMatchObject({ parentSpanId: frame?.spanId, attributes });
  });

  it('logs what is found by the session and by the request', async () => {
    const asked = { tenant_id: 'acme', request_id: 'asked-1', trace_id: TRACE_ID };
    const answered = (await linesOf('gateway-1', sessionId)).filter(({ route }) => route);
    expect(answered).toContainEqual(
      expect.objectContaining({ ...asked, route: '/v1/session/message', status: 202 }),
    );
    expect(answered).toContainEqual(
      expect.objectContaining({ route: '/v1/session/:id/events', status: 200 }),
    );
    expect(await linesOf('conversation-worker-1', sessionId)).toContainEqual(
      expect.objectContaining({ ...asked, integration: 'openai' }),
    );
    const overSocket = await linesOf('gateway-1', socketSessionId);
    expect(overSocket).toContainEqual(
      expect.objectContaining({ route: '/v1/session/:id/stream', status: 101 }),
    );
    expect(overSocket).toContainEqual(
      expect.objectContaining({ method: 'FRAME', route: 'message', request_id: 'frame-1' }),
    );
  });

  it('measures what the runbook says is measured', async () => {
    const runbook = await readFile(join(import.meta.dirname, '../../../docs/runbook.md'), 'utf8');
    const documented = [...runbook.matchAll(/^\| `(soma_\w+)/gm)].map(([, name = '']) => name);
    const ofOthers = ['soma_connection_checks_running'];
    const here = documented.filter((name) => !ofOthers.includes(name));
    expect(here.length).toBeGreaterThan(20);
    expect(here.filter((name) => !metrics.includes(`# TYPE ${name} `))).toEqual([]);
    const always = [
      'soma_kafka_consumer_lag_records{topic="conversation.inbound"',
      'soma_kafka_consumer_lag_records{topic="conversation.outbound"',
      'soma_outbox_age_seconds{outbox="timeline"}',
      'soma_outbox_rows ',
      'soma_turns_unfinished{state="pending"}',
      'soma_turns_running ',
      'soma_first_token_seconds_count{provider="openai"}',
      'soma_database_query_seconds_count',
      'soma_circuit_state{circuit="openai",state="closed"} 1',
    ];
    expect(always.filter((sample) => !metrics.includes(`\n${sample}`))).toEqual([]);
  });
});
