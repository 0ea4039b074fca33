import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { REQUEST_ID_HEADER } from '@soma/observability';
import { frameworkProblem } from './framework-problem.ts';
import { requestIdFrom } from './request-id.ts';

/** What Node's parser says where the answer is not 400. */
const STATUSES: Record<string, number> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
};

/**
 * Answers what is no request that could reach a route, as routes answer, and ends the connection:
 * where the next request would begin is not known.
 */
export function refuseUnreadable(apiVersion: string) {
  return (error: Error & { code?: string }, socket: Socket): void => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const status = STATUSES[error.code ?? ''] ?? 400;
    const content = JSON.stringify(frameworkProblem(status, error).toJSON());
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
      'content-type: application/problem+json',
      `content-length: ${Buffer.byteLength(content)}`,
      // Its own headers may not have come.
      `${REQUEST_ID_HEADER}: ${requestIdFrom({})}`,
      `x-api-version: ${apiVersion}`,
      'connection: close',
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${content}`);
  };
}
