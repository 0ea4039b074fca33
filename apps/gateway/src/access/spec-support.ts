import { type IncomingMessage, request as openHttp } from 'node:http';
import { text } from 'node:stream/consumers';

/** What is sent, the path letter by letter. */
interface Sent {
  method: string;
  path: string;
  token?: string;
  session_id?: string;
  headers?: Record<string, string>;
}

/** What came back. */
export interface Answered {
  status: number;
  /** The code of a problem. */
  code: unknown;
}

const BODILESS = ['GET', 'HEAD', 'DELETE', 'TRACE', 'PROPFIND'];

const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': Buffer.alloc(16).toString('base64'),
};

/** Sends a request that is well-formed. A stream or a socket is cut as soon as it is open. */
export async function send(url: string, request: Sent): Promise<Answered> {
  const { method, path, session_id } = request;
  const body = BODILESS.includes(method) ? undefined : bodyFor(path, session_id);
  const sent = openHttp(url, { method, path, headers: headersOf(request) });
  const answered = Promise.withResolvers<IncomingMessage>();
  sent.on('error', answered.reject).on('response', answered.resolve);
  sent.on('upgrade', (response, socket) => {
    socket.destroy();
    answered.resolve(response);
  });
  sent.end(body);
  const response = await answered.promise;
  const content = isOpen(response) ? '' : await text(response);
  sent.destroy();
  const { statusCode: status = 0 } = response;
  return { status, code: content.startsWith('{') ? codeOf(content) : undefined };
}

function headersOf({ method, path, token, headers }: Sent): Record<string, string> {
  return {
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(!BODILESS.includes(method) && { 'content-type': 'application/json' }),
    ...headersOfSocket(method, path),
    ...headers,
  };
}

/** What makes a request one for a socket, where it is. */
export function headersOfSocket(method: string, path: string): Record<string, string> {
  return path.endsWith('/stream') && method === 'GET' ? UPGRADE : {};
}

function isOpen({ statusCode, headers }: IncomingMessage): boolean {
  return statusCode === 101 || (headers['content-type'] ?? '').startsWith('text/event-stream');
}

function bodyFor(path: string, session_id: string | undefined): string {
  if (path.endsWith('/personas')) {
    return JSON.stringify({ name: 'Helper', instructions: 'Help.' });
  }
  if (path.includes('/personas/')) {
    return JSON.stringify({ name: 'Helper' });
  }
  if (path.endsWith('/message')) {
    return JSON.stringify({ session_id, message: 'Hello' });
  }
  return path.endsWith('/action') ? JSON.stringify({ session_id, action: 'summarize' }) : '{}';
}

function codeOf(content: string): unknown {
  return (JSON.parse(content) as Record<string, unknown>)['code'];
}
