import type { FastifyInstance, FastifyReply } from 'fastify';
import type { HealthChecks } from './health-checks.ts';

/**
 * Serves the health of the process, to anyone.
 *
 * These are plain Fastify routes, because no guard of the service may close them.
 */
export function serveHealth(
  server: FastifyInstance,
  health: HealthChecks,
  { version, legacy }: { version: string; legacy: boolean },
): void {
  const answerSummary = (_request: unknown, reply: FastifyReply): FastifyReply => {
    const summary = health.summary(version);
    return uncached(reply, summary.status === 'down' ? 503 : 200).send(summary);
  };
  server.get('/v1/health', answerSummary);
  if (legacy) {
    server.get('/health', answerSummary);
  }
  server.get('/v1/health/live', (_request, reply) => uncached(reply, 200).send({ status: 'ok' }));
  server.get('/v1/health/ready', (_request, reply) => {
    const waitingFor = health.unready();
    return waitingFor.length === 0
      ? uncached(reply, 200).send({ status: 'ready' })
      : uncached(reply, 503).send({ status: 'unready', waiting_for: waitingFor });
  });
}

function uncached(reply: FastifyReply, status: number): FastifyReply {
  return reply.status(status).header('cache-control', 'no-store');
}
