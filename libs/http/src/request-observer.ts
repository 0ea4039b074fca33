import {
  addLogContext,
  histogram,
  type Logger,
  setSpanAttributes,
  type Span,
  startSpan,
  withLogContext,
} from '@soma/observability';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

const duration = histogram({
  name: 'soma_http_request_seconds',
  help: 'Time from the request to the end of its answer.',
  labelNames: ['method', 'route', 'status'],
});

/** Asked every few seconds by machines: not worth a line each. */
const UNLOGGED = /^\/(?:metrics|(?:v1\/)?health)/;

const spans = new WeakMap<FastifyRequest, Span>();

/**
 * Logs, measures and traces every request.
 *
 * A route stands everywhere as its template. The address itself is never written: its query may
 * carry a ticket.
 */
export function observeRequests(server: FastifyInstance, logger: Logger): void {
  server.addHook('onRequest', (request, _reply, done) => {
    const span = startSpan({
      name: `${request.method} ${routeOf(request)}`,
      kind: 'server',
      causedBy: request.headers,
      attributes: { 'request.id': request.id },
    });
    spans.set(request, span);
    span.run(() => {
      withLogContext({ request_id: request.id }, done);
    });
  });
  server.addHook('onResponse', (request, reply, done) => {
    record(logger, request, reply);
    done();
  });
}

/** Names the tenant in the log lines and the span of the request that runs now. */
export function noteTenant(tenantId: string): void {
  addLogContext({ tenant_id: tenantId });
  setSpanAttributes({ 'tenant.id': tenantId });
}

function record(logger: Logger, request: FastifyRequest, reply: FastifyReply): void {
  const { method } = request;
  const route = routeOf(request);
  const status = reply.statusCode;
  const span = spans.get(request);
  span?.setAttributes({ 'http.request.method': method, 'http.response.status_code': status });
  if (status >= 500) {
    span?.fail(`status ${status}`);
  }
  span?.end();
  duration.observe({ method, route, status }, reply.elapsedTime / 1000);
  const level = UNLOGGED.test(route) ? 'debug' : 'info';
  logger[level](
    { request_id: request.id, method, route, status, duration_ms: Math.round(reply.elapsedTime) },
    'Answered.',
  );
}

function routeOf({ routeOptions }: FastifyRequest): string {
  return routeOptions.url ?? 'unknown';
}
