import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SessionEvent } from '@soma/contracts';
import { openEventStream, startTraceCollector, type TraceCollector } from '@soma/testing';
import { Client, ENDS } from './client.ts';
import { type Pod, startSystem, type System } from './system.ts';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const CALLER_ID = 'b7ad6b7169203331';

describe('a trace', () => {
  const running = new AsyncDisposableStack();
  let collector: TraceCollector;
  let system: System;
  let gateway: Pod;

  beforeAll(async () => {
    collector = running.use(await startTraceCollector());
    const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
    system = await startSystem(running, { environment });
    [gateway] = system.gateways as [Pod];
  }, 120_000);

  afterAll(() => running.disposeAsync());

  it('goes on from the caller through Kafka, a worker and Kafka to the stream', async () => {
    const client = new Client(await system.tokenFor());
    const sessionId = randomUUID();
    await client.say([gateway], 'before', sessionId);
    const stream = await openEventStream(`${gateway.url}/v1/session/${sessionId}/events`, {
      headers: { ...client.headers },
    });
    let ends = 0;
    for await (const frame of stream) {
      if (!ENDS.has((JSON.parse(frame.data) as SessionEvent).type)) continue;
      if (++ends === 2) break;
      // Only now, so that the stream hears what follows and need not read it.
      const response = await client.request(gateway, '/v1/session/message', {
        method: 'POST',
        headers: { traceparent: `00-${TRACE_ID}-${CALLER_ID}-01` },
        body: JSON.stringify({ session_id: sessionId, message: 'traced' }),
      });
      expect(response.status).toBe(202);
    }

    // A process that stops sends the rest.
    await Promise.all([...system.gateways, ...system.workers].map((pod) => pod.stop()));

    const spans = collector.spans().filter(({ traceId }) => traceId === TRACE_ID);
    const named = (name: string) => spans.filter((span) => span.name === name);
    const [accept] = named('POST /v1/session/message');
    const [turn] = named('turn.run');
    expect(accept).toMatchObject({ service: 'gateway', parentSpanId: CALLER_ID });
    expect(turn).toMatchObject({ service: 'conversation-worker', parentSpanId: accept?.spanId });
    expect(named('stream.deliver').map(({ parentSpanId }) => parentSpanId)).toEqual(
      // The message and the start of its answer come of the request, its end of the turn.
      [accept, accept, turn].map((span) => span?.spanId),
    );
    expect(spans).toHaveLength(5);
  }, 60_000);
});
