import {
  type Attributes,
  context,
  type Context,
  INVALID_SPAN_CONTEXT,
  propagation,
  ROOT_CONTEXT,
  type Span as TracedSpan,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import { currentLogContext } from './log-context.ts';

/** The name that follows one request through every log line and answer. */
export const REQUEST_ID_HEADER = 'x-request-id';

/** Headers as Node and Kafka carry them. */
export type TraceHeaders = Readonly<Record<string, unknown>>;

/** A piece of work in a trace. */
export interface SpanOptions {
  /** What is done, without ids, as in `turn.run`. */
  name: string;
  kind?: keyof typeof KINDS;
  attributes?: Attributes;
  /** Headers of the request or record that caused the work; otherwise the running span did. */
  causedBy?: TraceHeaders;
}

const KINDS = {
  internal: SpanKind.INTERNAL,
  /** Answers a request. */
  server: SpanKind.SERVER,
  /** Makes a request. */
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

/** Undefined while tracing is off, which makes every function here return at once. */
let tracer: Tracer | undefined;

/** Says where spans go. Only `startTracing` calls it. */
export function useTracer(next: Tracer | undefined): void {
  tracer = next;
}

/** A piece of work that is being traced. */
export class Span {
  constructor(
    private readonly traced: TracedSpan,
    private readonly within: Context | undefined,
  ) {}

  setAttributes(attributes: Attributes): void {
    this.traced.setAttributes(attributes);
  }

  /** Runs work within the span, so that what the work does becomes a part of it. */
  run<Result>(work: () => Result): Result {
    return this.within === undefined ? work() : context.with(this.within, work);
  }

  /** Marks the work as failed, by the error's name alone: a message may hold content. */
  fail(error: unknown): void {
    const name = error instanceof Error ? error.name : typeof error;
    this.traced.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', name);
  }

  end(): void {
    this.traced.end();
  }
}

const UNTRACED = new Span(trace.wrapSpanContext(INVALID_SPAN_CONTEXT), undefined);

/** Begins a span whose end is not the end of a function; the caller ends it. */
export function startSpan({ name, kind = 'internal', attributes, causedBy }: SpanOptions): Span {
  if (tracer === undefined) {
    return UNTRACED;
  }
  const parent =
    causedBy === undefined ? context.active() : propagation.extract(ROOT_CONTEXT, causedBy, READ);
  const options = { kind: KINDS[kind], ...(attributes && { attributes }) };
  const traced = tracer.startSpan(name, options, parent);
  return new Span(traced, trace.setSpan(parent, traced));
}

/** Runs work as one span. */
export async function withSpan<Result>(
  options: SpanOptions,
  work: (span: Span) => Promise<Result>,
): Promise<Result> {
  const span = startSpan(options);
  try {
    return await span.run(() => work(span));
  } catch (error) {
    span.fail(error);
    throw error;
  } finally {
    span.end();
  }
}

/** Describes the span that runs now, wherever it was begun. */
export function setSpanAttributes(attributes: Attributes): void {
  if (tracer !== undefined) {
    trace.getActiveSpan()?.setAttributes(attributes);
  }
}

/** Headers that make what the receiver does a part of the request and its trace (W3C `traceparent`). */
export function traceHeaders(): Record<string, string> {
  const headers: Record<string, string> = {};
  const requestId = currentLogContext()?.request_id;
  if (requestId !== undefined) {
    headers[REQUEST_ID_HEADER] = requestId;
  }
  if (tracer !== undefined) {
    propagation.inject(context.active(), headers);
  }
  return headers;
}

/** The request that caused what came with these headers, as far as they tell. */
export function requestIdIn(headers: TraceHeaders): string | undefined {
  return READ.get(headers, REQUEST_ID_HEADER);
}

/** Kafka gives header values as buffers. */
const READ = {
  keys: (headers: TraceHeaders): string[] => Object.keys(headers),
  get: (headers: TraceHeaders, key: string): string | undefined => {
    const value = headers[key];
    return Buffer.isBuffer(value)
      ? value.toString()
      : typeof value === 'string'
        ? value
        : undefined;
  },
};
