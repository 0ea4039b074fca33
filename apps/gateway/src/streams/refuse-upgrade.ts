import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Problem } from '@soma/kernel';

/** Answers an upgrade with a problem instead: the connection is no WebSocket yet. */
export function refuseUpgrade(
  socket: Duplex,
  problem: Problem,
  headers: Record<string, string>,
): void {
  const body = JSON.stringify(problem.toJSON());
  const fields = {
    'content-type': 'application/problem+json',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
    ...problem.headers,
    ...headers,
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  const { status } = problem;
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`);
}
