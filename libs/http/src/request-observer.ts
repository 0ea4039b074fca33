import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Exchange, Exchanges } from './exchanges.ts';

/** The status of a request whose client left before there was an answer. As nginx counts them. */
const CLIENT_LEFT = 499;

/** Makes every request an exchange. */
export function observeRequests(server: FastifyInstance, exchanges: Exchanges): void {
  server.addHook('onRequest', (request, reply, done) => {
    const { id, method, headers } = request;
    const route = request.routeOptions.url ?? 'unknown';
    const exchange = exchanges.begin({ id, method, route, headers });
    endWith(exchange, reply.raw);
    exchange.run(done);
  });
}

/** Apart, so that what listens for hours holds nothing of the request. */
function endWith(exchange: Exchange, response: ServerResponse): void {
  // Not `onResponse`, which Fastify leaves out when the client has gone.
  response.once('close', () => {
    exchange.end(response.headersSent ? response.statusCode : CLIENT_LEFT);
  });
}
