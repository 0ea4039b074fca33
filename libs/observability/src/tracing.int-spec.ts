import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
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

describe('tracing', () => {
  const requests: { path: string | undefined; type: string | undefined; body: Buffer }[] = [];
  const collector = createServer((request, response) => {
    void readAll(request).then((body) => {
      requests.push({ path: request.url, type: request.headers['content-type'], body });
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  let stop: () => Promise<void>;

  beforeAll(async () => {
    collector.listen(0, '127.0.0.1');
    await once(collector, 'listening');
    const { port } = collector.address() as AddressInfo;
    stop = await startTracing('gateway', {
      ...off,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      K8S_POD_NAME: 'gateway-0',
    });
  });

  afterAll(() => {
    collector.closeAllConnections();
    collector.close();
  });

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

    expect(requests).toMatchObject([{ path: '/v1/traces', type: 'application/x-protobuf' }]);
    const { resource, spans, text } = readTraces(requests[0]?.body);
    expect(resource).toContain('gateway-0');
    expect(resource).toContain('service.name');
    expect(spans).toBe(4);
    for (const part of ['consume', 'call', 'log', 'tenant.id', 'acme', 'fail', 'RangeError']) {
      expect(text).toContain(part);
    }
    expect(text).not.toContain('hunter2-canary');
  });
});

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/**
 * Reads `ExportTraceServiceRequest` as far as needed: `resource_spans` = 1 holds `resource` = 1 and
 * `scope_spans` = 2, which holds `spans` = 2. All of these are length-delimited.
 */
function readTraces(body: Buffer = Buffer.alloc(0)): {
  resource: string;
  spans: number;
  text: string;
} {
  const [resourceSpans = body] = fieldsOf(body, 1);
  const [resource = body] = fieldsOf(resourceSpans, 1);
  const spans = fieldsOf(resourceSpans, 2).flatMap((scope) => fieldsOf(scope, 2));
  return {
    resource: resource.toString('latin1'),
    spans: spans.length,
    text: body.toString('latin1'),
  };
}

function fieldsOf(message: Buffer, wanted: number): Buffer[] {
  const found: Buffer[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        return value;
      }
    }
  };
  while (at < message.length) {
    const tag = varint();
    const size =
      (tag & 7) === 2 ? varint() : (tag & 7) === 1 ? 8 : (tag & 7) === 5 ? 4 : void varint();
    const end = at + (size ?? 0);
    if (tag >> 3 === wanted && (tag & 7) === 2) {
      found.push(message.subarray(at, end));
    }
    at = end;
  }
  return found;
}
