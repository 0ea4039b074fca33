import { startHttpServer } from './http-server.ts';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { type handleUnaryCall, Server, ServerCredentials } from '@grpc/grpc-js';

/** A span as it was sent. Ids are in hexadecimal; the parent's is empty for the first of a trace. */
export interface CollectedSpan {
  service: string;
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId: string;
  /** Those whose value is text. */
  attributes: Record<string, string>;
}

/** A collector of traces that speaks OTLP over HTTP. */
export interface TraceCollector extends AsyncDisposable {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  url: string;
  requests: { path: string | undefined; type: string | undefined; body: Buffer }[];
  /** All spans that were sent so far. */
  spans: () => CollectedSpan[];
}

/** Starts a collector of traces on a free port. */
export async function startTraceCollector(): Promise<TraceCollector> {
  const requests: TraceCollector['requests'] = [];
  const server = await startHttpServer((request, response) => {
    void buffer(request).then((body) => {
      requests.push({ path: request.url, type: request.headers['content-type'], body });
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  return {
    url: server.url,
    requests,
    spans: () => requests.flatMap(({ body }) => readSpans(body)),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** A collector of traces that speaks OTLP over gRPC. */
export type GrpcTraceCollector = Pick<TraceCollector, 'url' | 'spans'> & AsyncDisposable;

/** Starts a collector of traces on a free port: the one method of OTLP's `TraceService`. */
export async function startGrpcTraceCollector(): Promise<GrpcTraceCollector> {
  const requests: Buffer[] = [];
  const asIs = (message: Buffer): Buffer => message;
  const method = {
    path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
    ...{ requestStream: false, responseStream: false },
    ...{ requestSerialize: asIs, requestDeserialize: asIs },
    ...{ responseSerialize: asIs, responseDeserialize: asIs },
  } as const;
  const server = new Server();
  const take: handleUnaryCall<Buffer, Buffer> = (call, answer) => {
    requests.push(call.request);
    // An answer without a field says that all was taken.
    answer(null, Buffer.alloc(0));
  };
  server.addService({ export: method }, { export: take });
  const bind = promisify(server.bindAsync.bind(server));
  const port = await bind('127.0.0.1:0', ServerCredentials.createInsecure());
  return {
    url: `http://127.0.0.1:${port}`,
    spans: () => requests.flatMap(readSpans),
    [Symbol.asyncDispose]: () => {
      server.forceShutdown();
      return Promise.resolve();
    },
  };
}

/**
 * Reads an `ExportTraceServiceRequest`: `resource_spans` = 1 holds `resource` = 1 with its
 * `attributes` = 1, and `scope_spans` = 2, which holds `spans` = 2 with their `attributes` = 9.
 */
function readSpans(request: Buffer): CollectedSpan[] {
  return fieldsOf(request, 1).flatMap((resourceSpans) => {
    const resource = fieldsOf(resourceSpans, 1).flatMap((each) => fieldsOf(each, 1));
    const service = attributesOf(resource)['service.name'] ?? '';
    return fieldsOf(resourceSpans, 2)
      .flatMap((scope) => fieldsOf(scope, 2))
      .map((span) => ({
        service,
        name: textOf(span, 5),
        traceId: hexOf(span, 1),
        spanId: hexOf(span, 2),
        parentSpanId: hexOf(span, 4),
        attributes: attributesOf(fieldsOf(span, 9)),
      }));
  });
}

/** Of pairs of `key` = 1 and `value` = 2, which is a message too, with `string_value` = 1. */
function attributesOf(pairs: Buffer[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => [
      textOf(pair, 1),
      fieldsOf(pair, 2).map((value) => textOf(value, 1))[0] ?? '',
    ]),
  );
}

function textOf(message: Buffer, field: number): string {
  return fieldsOf(message, field)[0]?.toString() ?? '';
}

function hexOf(message: Buffer, field: number): string {
  return fieldsOf(message, field)[0]?.toString('hex') ?? '';
}

/** The length-delimited fields of one number in a message of Protocol Buffers. */
function fieldsOf(message: Buffer, wanted: number): Buffer[] {
  const found: Buffer[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  const sizeOf: Record<number, () => number> = {
    0: () => (varint(), 0),
    1: () => 8,
    2: varint,
    5: () => 4,
  };
  while (at < message.length) {
    const tag = varint();
    const size = sizeOf[tag & 7]?.() ?? 0;
    if (tag >> 3 === wanted && (tag & 7) === 2) found.push(message.subarray(at, at + size));
    at += size;
  }
  return found;
}
