import { Problem } from '@soma/kernel';
import type { FastifyRequest } from 'fastify';

/** Far more than any form here holds; a passkey's answer takes about 1 KB. */
const LIMIT_BYTES = 64 * 1024;
const FORM_TYPE = /^application\/x-www-form-urlencoded(?:;|$)/i;

/** Reads a form that a browser posts. For routes with `@StreamsBody()`, as other bodies are JSON. */
export async function readForm(request: FastifyRequest): Promise<URLSearchParams> {
  if (!FORM_TYPE.test(request.headers['content-type'] ?? '')) {
    throw new Problem({
      status: 415,
      code: 'unsupported_media_type',
      detail: 'Send the form as "application/x-www-form-urlencoded", as a browser does.',
    });
  }
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  // Of a route with `@StreamsBody()` it is the request itself, unread.
  for await (const chunk of request.body as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > LIMIT_BYTES) {
      throw new Problem({
        status: 413,
        code: 'body_too_large',
        detail: 'The form is larger than any that is asked for here.',
      });
    }
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString());
}
