import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startGrpcTraceCollector, startTraceCollector, type TraceCollector } from '@soma/testing';
import { createLogger } from './logger.ts';
import { setSpanAttributes, startSpan, traceHeaders, withSpan } from './span.ts';
import { startTracing } from './tracing.ts';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const PARENT = { traceparent: Buffer.from(`00-${TRACE_ID}-b7ad6b7169203331-01`) };

const off = {
  LOG_LEVEL: 'info',
  OTEL_EXPORTER_OTLP_ENDPOINT: undefined,
  OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
} as const;

describe('tracing that is off', () => {
  it('runs the work and sends no headers', async () => {
    const stop = await startTracing('gateway', off);

    const headers = await withSpan({ name: 'work', causedBy: PARENT }, () =>
      Promise.resolve(traceHeaders()),
    );

    expect(headers).toEqual({});
    await stop();
  });
});

describe('tracing over gRPC', () => {
  it('sends every span when it stops', async () => {
    await using collector = await startGrpcTraceCollector();
    const stop = await startTracing('gateway', {
      ...off,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
    });

    await withSpan({ name: 'work', causedBy: PARENT }, () => Promise.resolve());
    await stop();

    expect(collector.spans()).toMatchObject([
      { service: 'gateway', name: 'work', traceId: TRACE_ID, parentSpanId: 'b7ad6b7169203331' },
    ]);
  });
});

describe('tracing', () => {
  const running = new AsyncDisposableStack();
  let collector: TraceCollector;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    collector = running.use(await startTraceCollector());
    stop = await startTracing('gateway', {
      ...off,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      K8S_POD_NAME: 'gateway-0',
    });
  });

  afterAll(() => running.disposeAsync());

  it('continues the trace that a header names, and hands it on', async () => {
    await withSpan({ name: 'consume', kind: 'consumer', causedBy: PARENT }, async () => {
      const child = startSpan({ name: 'call', kind: 'client' });
      const { traceparent } = child.run(traceHeaders);
      child.end();

      expect(traceparent).toMatch(new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-01$`));
      expect(traceparent).not.toContain('b7ad6b7169203331');
      await Promise.resolve();
    });
  });

  it('puts the trace into log lines', async () => {
    const lines: string[] = [];
    const destination = { write: (line: string) => void lines.push(line) };
    const logger = createLogger({ service: 'gateway', destination });

    await withSpan({ name: 'log', causedBy: PARENT }, () => {
      setSpanAttributes({ 'tenant.id': 'acme' });
      logger.info('Inside.');
      return Promise.resolve();
    });

    expect(lines[0]).toContain(`"trace_id":"${TRACE_ID}"`);
  });

  it('sends every span as protobuf when it stops, and no message of an error', async () => {
    await expect(
      withSpan({ name: 'fail' }, () => Promise.reject(new RangeError('hunter2-canary'))),
    ).rejects.toThrow('hunter2-canary');

    await stop();

    const { requests } = collector;
    expect(requests).toMatchObject([{ path: '/v1/traces', type: 'application/x-protobuf' }]);
    const text = requests.map(({ body }) => body.toString('latin1')).join('');
    expect(text).toContain('gateway-0');
    expect(collector.spans()).toEqual(
      ['call', 'consume', 'log', 'fail'].map((name): unknown =>
        expect.objectContaining({ service: 'gateway', name }),
      ),
    );
    for (const part of ['tenant.id', 'acme', 'RangeError']) {
      expect(text).toContain(part);
    }
    expect(text).not.toContain('hunter2-canary');
  });
});
