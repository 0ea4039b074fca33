import { type ClientRequest, type IncomingMessage, request as openHttp } from 'node:http';
import { request as openHttps } from 'node:https';
import { Readable } from 'node:stream';
import { Problem } from '@soma/kernel';
import { traceHeaders } from '@soma/observability';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** Where a request is passed on to. */
export interface ProxyOptions {
  /** The whole address, query included. */
  target: URL;
  /** What stands there, in words for a client, as in `capsule registry`. */
  upstream: string;
  /** How long the answer may take to begin, and then may pause. */
  timeoutMs: number;
  /** Headers of the new request besides the caller's, such as a credential for the upstream. */
  headers?: Record<string, string>;
}

/** Headers that concern one connection (RFC 9110 §7.6.1), and the name of the old target. */
const HOP_BY_HOP = new Set([
  'connection',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** The caller's credentials are meant for us. An upstream gets them only if `headers` says so. */
const OURS = new Set(['authorization', 'cookie', 'x-request-id', 'x-api-version', 'traceparent']);

/**
 * Passes a request on and its answer back, both piece by piece and otherwise as they are: bytes,
 * encoding, digests and signatures stay untouched. The route needs `@StreamsBody()` to have a body.
 *
 * @throws {@link Problem} 502 `upstream_unreachable` or 504 `upstream_timeout`. Every answer that
 * the upstream gives is passed on, its errors included.
 */
export async function proxyRequest(
  request: FastifyRequest,
  reply: FastifyReply,
  options: ProxyOptions,
): Promise<void> {
  const { target, timeoutMs, headers } = options;
  const outgoing = (target.protocol === 'https:' ? openHttps : openHttp)(target, {
    method: request.method,
    headers: {
      ...passedOn(request.headers),
      ...traceHeaders(),
      // Whoever it is here, and not what it says of itself.
      'x-forwarded-for': request.ip,
      ...headers,
    },
  });
  // A caller that leaves takes its request along.
  reply.raw.once('close', () => outgoing.destroy());
  const answer = await answerOf(outgoing, request.body, options);
  answer.setTimeout(timeoutMs, () =>
    answer.destroy(new Error('The upstream paused for too long.')),
  );
  await reply
    .status(answer.statusCode ?? 502)
    .headers(passedOn(answer.headers))
    .send(answer);
}

async function answerOf(
  outgoing: ClientRequest,
  body: unknown,
  { upstream, timeoutMs }: ProxyOptions,
): Promise<IncomingMessage> {
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.on('error', reject);
  });
  const tooLate = late(upstream);
  const timer = setTimeout(() => outgoing.destroy(tooLate), timeoutMs);
  try {
    if (body instanceof Readable) {
      // Not `pipeline`: it would cut the caller off who shall hear that the upstream failed.
      body.once('error', (error) => outgoing.destroy(error)).pipe(outgoing);
    } else {
      outgoing.end();
    }
    return await answered;
  } catch (error) {
    throw error === tooLate ? tooLate : unreachable(upstream, error);
  } finally {
    clearTimeout(timer);
  }
}

function passedOn(headers: IncomingMessage['headers']): Record<string, string | string[]> {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  const dropped = new Set([...HOP_BY_HOP, ...OURS, ...named]);
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || dropped.has(name) ? [] : [[name, value]],
    ),
  );
}

function unreachable(upstream: string, cause: unknown): Problem {
  return new Problem({
    status: 502,
    code: 'upstream_unreachable',
    detail: `The ${upstream} cannot be reached. Try again later.`,
    cause,
  });
}

function late(upstream: string): Problem {
  return new Problem({
    status: 504,
    code: 'upstream_timeout',
    detail: `The ${upstream} did not answer in time. Try again later.`,
  });
}
