import { AsyncResource } from 'node:async_hooks';
import {
  addLogContext,
  histogram,
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

/**
 * Logs, measures and traces every request.
 *
 * A route stands everywhere as its template. The address itself is never written: its query may
 * carry a ticket.
 */
export function observeRequests(server: FastifyInstance, logger: Logger): void {
  server.addHook('onRequest', (request, reply, done) => {
    const begun = performance.now();
    const span = startSpan({
      name: `${request.method} ${routeOf(request)}`,
      kind: 'server',
      causedBy: request.headers,
      attributes: { 'request.id': request.id, 'http.request.method': request.method },
    });
    span.run(() => {
      withLogContext({ request_id: request.id }, () => {
        const end = AsyncResource.bind(() => {
          const { headersSent, statusCode } = reply.raw;
          const status = headersSent ? statusCode : CLIENT_LEFT;
          endSpan(span, status);
          record(logger, request, { status, durationMs: performance.now() - begun });
        });
        // Not `onResponse`, which Fastify leaves out when the client has gone.
        reply.raw.once('close', end);
        done();
      });
    });
  });
}

/** Names the tenant in the log lines and the span of the request that runs now. */
export function noteTenant(tenantId: string): void {
  addLogContext({ tenant_id: tenantId });
  setSpanAttributes({ 'tenant.id': tenantId });
}

function endSpan(span: Span, status: number): void {
  span.setAttributes({ 'http.response.status_code': status });
  if (status >= 500) {
    span.fail(`status ${status}`);
  }
  span.end();
}

function record(
  logger: Logger,
  request: FastifyRequest,
  { status, durationMs }: { status: number; durationMs: number },
): void {
  const { method } = request;
  const route = routeOf(request);
  duration.observe({ method, route, status }, durationMs / 1000);
  const level = UNLOGGED.test(route) ? 'debug' : 'info';
  logger[level]({ method, route, status, duration_ms: Math.round(durationMs) }, 'Answered.');
}

function routeOf({ routeOptions }: FastifyRequest): string {
  return routeOptions.url ?? 'unknown';
}
