import type { FastifyInstance, onSendHookHandler } from 'fastify';
import type { Exchanges } from './exchanges.ts';
import type { HealthChecks } from './health/health-checks.ts';

const LOOK_EVERY_MS = 50;

/**
 * Lets a stopping server end as soon as every answer is finished.
 *
 * Node's own close waits for connections over which no request has come yet, as load balancers and
 * browsers keep them, until they time out. Here they are cut once nothing is being answered.
 */
export function closeGracefully(
  server: FastifyInstance,
  health: HealthChecks,
  exchanges: Exchanges,
): void {
  // When it is sent, because the service may have been told to stop since the request came.
  server.addHook('onSend', (...[, reply, , done]: Parameters<onSendHookHandler>) => {
    if (health.isStopping) {
      reply.header('connection', 'close');
    }
    done();
  });
  server.addHook('preClose', (done) => {
    const timer = setInterval(() => {
      if (exchanges.open === 0) {
        server.server.closeAllConnections();
      }
    }, LOOK_EVERY_MS);
    server.server.once('close', () => {
      clearInterval(timer);
    });
    done();
  });
}
