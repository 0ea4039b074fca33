import { clientIdentifier, serverReply, sessionEvent, streamQuery } from '@soma/contracts';
import type { ApiDescription } from '@soma/http';
import { z } from 'zod';
import { pieceExample } from './api-examples.ts';
import forwarded from './forwarding/forwarded-api.json' with { type: 'json' };

const health = z.strictObject({
  status: z.enum(['ok', 'degraded', 'down']),
  version: z.string(),
  policy: z.enum(['enforced', 'not_configured']).meta({
    description:
      'Whether policy and relationships decide on requests; only in development may they not.',
  }),
  dependencies: z.record(
    z.string(),
    z.strictObject({ status: z.enum(['ok', 'down']), latency_ms: z.int().nonnegative() }),
  ),
});

const healthExample: z.output<typeof health> = {
  status: 'ok',
  version: '1.0.0',
  policy: 'enforced',
  dependencies: {
    postgres: { status: 'ok', latency_ms: 2 },
    kafka: { status: 'ok', latency_ms: 4 },
  },
};

/** What the API document says that no route does. */
export const apiDescription: ApiDescription = {
  forwarded,
  title: 'Soma gateway',
  description:
    'Send a message, watch the answer stream, and read on from any cursor without losing or ' +
    'repeating an event. Failures are `application/problem+json`; branch on their `code`.',
  paths: {
    '/v1/health': {
      get: {
        operationId: 'Health_summary',
        tags: ['Health'],
        summary: 'Ask for the health of the service',
        security: [],
        responses: {
          200: {
            description: '`ok` or `degraded`',
            content: { 'application/json': { schema: health, example: healthExample } },
          },
          503: { description: '`down`', content: { 'application/json': { schema: health } } },
        },
      },
    },
    '/v1/session/{id}/stream': {
      get: {
        operationId: 'Streams_socket',
        tags: ['Streams'],
        summary: "Stream a session's events over a WebSocket",
        description:
          'Carries the same envelopes as `/events`, and takes frames such as ' +
          '`{"type":"message","request_id":"r1","message":"Hello"}`, ' +
          '`{"type":"action","action":"summarize"}` and `{"type":"cancel"}`, each answered by a ' +
          '`reply.…`. It closes with 1008 (policy), 1009 (too big), 1011 (failure), 1012 ' +
          '(restarting) or 1013 (too slow); after a cut, open it again with the last `cursor`.',
        requestParams: { path: z.object({ id: clientIdentifier }), query: streamQuery },
        responses: {
          101: {
            description: 'Every frame that is sent',
            content: {
              'application/json': {
                schema: z.union([sessionEvent, serverReply]),
                example: pieceExample,
              },
            },
          },
          400: { description: '`invalid_cursor`' },
          401: { description: '`missing_credential`, `invalid_token`, `invalid_ticket`' },
          404: { description: '`session_not_found`' },
        },
      },
    },
  },
};
