import {
  addLogContext,
  currentLogContext,
  histogram,
  type LogContext,
  type Logger,
  setSpanAttributes,
  type Span,
  startSpan,
  type TraceHeaders,
  withLogContext,
} from '@soma/observability';

const duration = histogram({
  name: 'soma_http_request_seconds',
  help: 'Time from the request to the end of its answer.',
  labelNames: ['method', 'route', 'status'],
});

/** Asked every few seconds by machines: not worth a line each. */
const UNLOGGED = /^\/(?:metrics|(?:v1\/)?health)/;

/** What somebody asks for. */
export interface Asked {
  /** Its `X-Request-Id`. */
  id: string;
  method: string;
  /** The template of the route. The address itself is never written: its query may hold a ticket. */
  route: string;
  /** Of the request that it came with: the caller's trace goes on here. */
  headers: TraceHeaders;
}

/** All that is being answered. Each is logged, measured and traced. */
export class Exchanges {
  /** How many there are, streams of events included. */
  open = 0;

  constructor(private readonly logger: Logger) {}

  begin(asked: Asked): Exchange {
    this.open += 1;
    const level = UNLOGGED.test(asked.route) ? 'debug' : 'info';
    return new Exchange(asked, (fields) => {
      this.open -= 1;
      this.logger[level](fields, 'Answered.');
    });
  }

  /**
   * Observes what is asked for by other means than a request of HTTP's.
   *
   * @param work - Answers its status. It must not reject.
   */
  async observe(asked: Asked, work: () => Promise<number>): Promise<void> {
    const exchange = this.begin(asked);
    exchange.end(await exchange.run(work));
  }
}

/**
 * What is kept of a request until it is answered, which for a stream may take hours: neither
 * Fastify's objects nor an asynchronous context, which together would take more than the stream.
 */
export class Exchange {
  readonly #begun = performance.now();
  readonly #method: string;
  readonly #route: string;
  readonly #span: Span;
  /** The very object that the work adds to. */
  #context: LogContext;

  /** @param log - Called once, with the fields of the line about it. */
  constructor(
    { id, method, route, headers }: Asked,
    private readonly log: (fields: object) => void,
  ) {
    this.#method = method;
    this.#route = route;
    this.#context = { request_id: id };
    this.#span = startSpan({
      name: `${method} ${route}`,
      kind: 'server',
      causedBy: headers,
      attributes: { 'request.id': id, 'http.request.method': method },
    });
  }

  /** Runs the work that answers it. */
  run<Result>(work: () => Result): Result {
    return this.#span.run(() =>
      withLogContext(this.#context, () => {
        this.#context = currentLogContext() ?? this.#context;
        return work();
      }),
    );
  }

  end(status: number): void {
    this.#span.setAttributes({ 'http.response.status_code': status });
    if (status >= 500) {
      this.#span.fail(`status ${status}`);
    }
    this.#span.end();
    const durationMs = performance.now() - this.#begun;
    const labels = { method: this.#method, route: this.#route, status };
    duration.observe(labels, durationMs / 1000);
    this.#span.run(() => {
      this.log({ ...this.#context, ...labels, duration_ms: Math.round(durationMs) });
    });
  }
}

/** Names the tenant in the log lines and the span of what is asked for now. */
export function noteTenant(tenantId: string): void {
  addLogContext({ tenant_id: tenantId });
  setSpanAttributes({ 'tenant.id': tenantId });
}

/** Names the session in the log lines of what is asked for now. */
export function noteSession(sessionId: string): void {
  addLogContext({ session_id: sessionId });
}
