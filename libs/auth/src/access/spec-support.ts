import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { startHttpServer } from '@soma/testing';

/** Passes on what it is asked, and remembers it. */
export interface RecordingProxy extends AsyncDisposable {
  port: number;
  requests: { path: string; body: Record<string, unknown> }[];
}

/** @param target - The server behind it, without a path. It speaks JSON. */
export async function startRecordingProxy(target: string): Promise<RecordingProxy> {
  const requests: RecordingProxy['requests'] = [];
  const proxy = await startHttpServer((request, response) => {
    void text(request).then(async (body) => {
      const { url: path = '', method = '' } = request;
      requests.push({ path, body: JSON.parse(body || '{}') as Record<string, unknown> });
      const answer = await fetch(target + path, {
        method,
        headers: { 'content-type': 'application/json' },
        ...(body && { body }),
      });
      const type = answer.headers.get('content-type') ?? 'application/json';
      response.writeHead(answer.status, { 'content-type': type });
      response.end(await answer.text());
    });
  });
  const { port } = proxy.server.address() as AddressInfo;
  return { port, requests, [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose]() };
}
