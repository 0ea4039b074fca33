import { randomUUID } from 'node:crypto';
import { connectionRequest, type ConnectionRequest } from '@soma/connections';
import type { Secret } from '@soma/kernel';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { z } from 'zod';
import { type Probe, type ProbeContext, ProbeFailure, type ProbeTarget } from '../probe.ts';

/** https://modelcontextprotocol.io/specification; a server that knows another one says so. */
const PROTOCOL_VERSION = '2025-06-18';
/** A welcome may hold some instructions. */
const MAX_BYTES = 64 * 1024;
const REFUSED = new Set([401, 403]);
const SESSION = 'mcp-session-id';

const headersSchema = z.record(z.string(), z.string());
const initialized = z.object({ id: z.string(), result: z.object({ protocolVersion: z.string() }) });

/** Says hello, and ends the session again where the server began one. */
export const probeMcp: Probe = async (target, context) => {
  const request = toRequest(target);
  if (request === undefined) {
    // A program is started by whoever uses it.
    return false;
  }
  const answer = await hello(request, context);
  const session = answer.headers.get(SESSION);
  if (session !== null) {
    // It works, whether it lets us go or not; the end of the check ends this too.
    void goodbye(request, session, context).catch(() => undefined);
  }
  return true;
};

function toRequest(target: ProbeTarget): ConnectionRequest | undefined {
  const request = connectionRequest(target, '');
  if (request !== undefined) {
    const further = readHeaders(target.credentials.get('headers'));
    Object.entries(further).forEach(([name, value]) => {
      request.headers.set(name, value);
    });
  }
  return request;
}

function readHeaders(text: Secret | undefined): Record<string, string> {
  try {
    return headersSchema.parse(JSON.parse(text?.reveal() ?? '{}'));
  } catch {
    // Not as the cause: its message would quote the value.
    throw new ProbeFailure('credential_unavailable');
  }
}

async function hello(
  { url, headers: own }: ConnectionRequest,
  { outbound, signal }: ProbeContext,
): Promise<Response> {
  const id = randomUUID();
  const headers = new Headers(own);
  headers.set('content-type', 'application/json');
  headers.set('accept', 'application/json, text/event-stream');
  const params = {
    protocolVersion: PROTOCOL_VERSION,
    capabilities: {},
    clientInfo: { name: 'soma', version: '1' },
  };
  const body = JSON.stringify({ jsonrpc: '2.0', id, method: 'initialize', params });
  const request = { method: 'POST', headers, body, signal, maxBytes: MAX_BYTES };
  const answer = await outbound.fetch(url, request);
  if (REFUSED.has(answer.status)) {
    throw new ProbeFailure('credential_refused');
  }
  if (!answer.ok || !(await hasWelcome(answer, id))) {
    throw new ProbeFailure('unexpected_answer');
  }
  return answer;
}

/** The answer is JSON, or a stream of events that need not end. */
async function hasWelcome(answer: Response, id: string): Promise<boolean> {
  if (answer.headers.get('content-type')?.startsWith('text/event-stream') !== true) {
    return isWelcome(await answer.text(), id);
  }
  const text = answer.body?.pipeThrough(new TextDecoderStream());
  for await (const { data } of text?.pipeThrough(new EventSourceParserStream()) ?? []) {
    if (isWelcome(data, id)) {
      return true;
    }
  }
  return false;
}

function isWelcome(text: string, id: string): boolean {
  try {
    const { success, data } = initialized.safeParse(JSON.parse(text));
    return success && data.id === id;
  } catch {
    // It is something else.
    return false;
  }
}

async function goodbye(
  { url, headers: own }: ConnectionRequest,
  session: string,
  { outbound, signal }: ProbeContext,
): Promise<void> {
  const headers = new Headers(own);
  headers.set(SESSION, session);
  const answer = await outbound.fetch(url, { method: 'DELETE', headers, signal });
  await answer.body?.cancel();
}
