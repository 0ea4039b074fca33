import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { RouteConfig } from '@nestjs/platform-fastify';
import { Problem } from '@soma/kernel';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { frameworkProblem } from '../framework-problem.ts';
import { parseStrictJson } from './strict-json.ts';

/** Marks a route that takes the body as it comes, of any type and length, unread. */
export const StreamsBody = (): MethodDecorator => RouteConfig({ streamsBody: true });

/** Reads JSON bodies strictly and refuses every other type of content. */
export function readJsonBodies(server: FastifyInstance, limitBytes: number): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser(
    'application/json',
    async (request: FastifyRequest, payload: IncomingMessage) =>
      streamsBody(request) ? payload : parseBody(await readBody(payload, limitBytes)),
  );
  server.addContentTypeParser('*', (request, payload, done) => {
    if (streamsBody(request)) {
      done(null, payload);
    } else {
      done(frameworkProblem(415, undefined));
    }
  });
}

function streamsBody({ routeOptions }: FastifyRequest): boolean {
  return (routeOptions.config as { streamsBody?: boolean }).streamsBody === true;
}

async function readBody(payload: IncomingMessage, limitBytes: number): Promise<Buffer> {
  if (Number(payload.headers['content-length'] ?? 0) > limitBytes) {
    throw frameworkProblem(413, undefined);
  }
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of payload as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) {
      throw frameworkProblem(413, undefined);
    }
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

function parseBody(body: Buffer): unknown {
  if (body.length === 0) {
    // A client that sends the header with every request, also with those that have no body.
    return undefined;
  }
  if (!isUtf8(body)) {
    throw new Problem({
      status: 400,
      code: 'malformed_json',
      detail: 'The body is not encoded in UTF-8.',
    });
  }
  return parseStrictJson(body.toString());
}
