/* The least that refuses a request: Fastify, and the answer that the gateway gives, to the byte. */
import { randomUUID } from 'node:crypto';
import { fastify } from 'fastify';

const app = fastify();
const REQUEST_ID = randomUUID();
const problem = JSON.stringify({
  type: 'urn:soma:problem:invalid_token',
  title: 'Unauthorized',
  status: 401,
  code: 'invalid_token',
  detail: 'The access token is not valid here. Ask the identity service for a new one.',
});

app.get('/v1/models', (_request, reply) =>
  reply
    .code(401)
    .header('www-authenticate', 'Bearer')
    // Headers of every answer: reading them is work for whoever measures, too.
    .header('x-request-id', REQUEST_ID)
    .header('x-api-version', 'v1')
    .type('application/problem+json')
    .send(problem),
);

await app.listen({ port: Number(process.env['PORT']), host: '127.0.0.1' });
process.send?.('ready');
