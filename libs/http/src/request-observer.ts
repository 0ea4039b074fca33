import type { ServerResponse } from 'node:http';
import {
  addLogContext,
  currentLogContext,
  histogram,
  type LogContext,
  type Logger,
  setSpanAttributes,
  type Span,
  startSpan,
  withLogContext,
} from '@soma/observability';
import type { FastifyInstance, FastifyRequest } from 'fastify';

const duration = histogram({
  name: 'soma_http_request_seconds',
  help: 'Time from the request to the end of its answer.',
  labelNames: ['method', 'route', 'status'],
});

/** Asked every few seconds by machines: not worth a line each. */
const UNLOGGED = /^\/(?:metrics|(?:v1\/)?health)/;

/** The status of a request whose client left before there was an answer. As nginx counts them. */
const CLIENT_LEFT = 499;

/** How many requests are being answered, streams included. */
export interface OpenExchanges {
  count: number;
}

/**
 * Logs, measures and traces every request.
 *
 * A route stands everywhere as its template. The address itself is never written: its query may
 * carry a ticket.
 */
export function observeRequests(server: FastifyInstance, logger: Logger): OpenExchanges {
  const open: OpenExchanges = { count: 0 };
  server.addHook('onRequest', (request, reply, done) => {
    open.count++;
    const exchange = beginExchange(request, reply.raw);
    // Not `onResponse`, which Fastify leaves out when the client has gone.
    reply.raw.once('close', () => {
      open.count--;
      exchange.span.run(() => {
        endExchange(exchange, logger);
      });
    });
    exchange.span.run(() => {
      withLogContext({ request_id: request.id }, () => {
        // The very object, to which the tenant is added once it is known.
        exchange.context = currentLogContext();
        done();
      });
    });
  });
  return open;
}

/**
 * What is kept of a request until it is answered, which for a stream may take hours: neither
 * Fastify's objects nor an asynchronous context, which together would take more than the stream.
 */
interface Exchange {
  begun: number;
  method: string;
  route: string;
  context: Readonly<LogContext> | undefined;
  span: Span;
  response: ServerResponse;
}

function beginExchange(request: FastifyRequest, response: ServerResponse): Exchange {
  const { id, method, headers } = request;
  const route = request.routeOptions.url ?? 'unknown';
  const span = startSpan({
    name: `${method} ${route}`,
    kind: 'server',
    causedBy: headers,
    attributes: { 'request.id': id, 'http.request.method': method },
  });
  return { begun: performance.now(), method, route, context: undefined, span, response };
}

function endExchange(
  { begun, method, route, context, span, response }: Exchange,
  log: Logger,
): void {
  const status = response.headersSent ? response.statusCode : CLIENT_LEFT;
  span.setAttributes({ 'http.response.status_code': status });
  if (status >= 500) {
    span.fail(`status ${status}`);
  }
  span.end();
  const durationMs = performance.now() - begun;
  duration.observe({ method, route, status }, durationMs / 1000);
  const level = UNLOGGED.test(route) ? 'debug' : 'info';
  const line = { method, route, status, duration_ms: Math.round(durationMs) };
  log[level]({ ...context, ...line }, 'Answered.');
}

/** Names the tenant in the log lines and the span of the request that runs now. */
export function noteTenant(tenantId: string): void {
  addLogContext({ tenant_id: tenantId });
  setSpanAttributes({ 'tenant.id': tenantId });
}
