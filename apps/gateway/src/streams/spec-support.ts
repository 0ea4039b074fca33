import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import type { SessionEvent } from '@soma/contracts';
import { sleep } from '@soma/kernel';
import { WebSocket } from 'ws';

/** Opens a WebSocket, when the server is ready. Any other refusal rejects with its status. */
export async function openSocket(
  url: string,
  { headers = {} }: { headers?: Record<string, string> } = {},
): Promise<WebSocket> {
  const socket = new WebSocket(url.replace('http', 'ws'), { headers });
  try {
    await once(socket, 'open');
    return socket;
  } catch (error) {
    // What a client tries again: a server that is there, and not ready.
    if (!(error as Error).message.includes('503')) throw error;
    await sleep(1_000);
    return openSocket(url, { headers });
  }
}

/** Reads a stream over a WebSocket until an event says that it is enough, or it is cut. */
export async function readSocket(url: string, options: SocketReadOptions): Promise<Received[]> {
  const received: Received[] = [];
  const address = new URL(url.replace('http', 'ws'));
  let onOpen = options.onOpen;
  const isEnough = (): boolean => received.some(({ event }) => options.until(event));
  do {
    const socket = new WebSocket(address, { headers: options.headers ?? {} });
    socket.on('message', (data: Buffer) => {
      const event = JSON.parse(data.toString()) as SessionEvent;
      received.push({ id: event.cursor, event });
      address.searchParams.set('cursor', event.cursor);
      options.onEvent?.(event);
      if (options.until(event)) socket.terminate();
    });
    socket.on('open', () => {
      onOpen?.();
      onOpen = undefined;
    });
    // A cut is what these tests are about.
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.on('close', resolve));
  } while (options.resumes === true && !isEnough());
  return received;
}

/** A way to a server that is cut after as many bytes of the stream as the header `x-cut` says. */
export async function startCuttingRelay(port: number): Promise<AsyncDisposable & { url: string }> {
  const server = createServer((client) => {
    const target = connect(port, '127.0.0.1');
    let left = 0;
    let head: string | undefined = '';
    client.on('data', (chunk: Buffer) => {
      left ||= Number(/x-cut: (\d+)/i.exec(chunk.toString('latin1'))?.[1] ?? 0);
      target.write(chunk);
    });
    target.on('data', (chunk: Buffer) => {
      if (head !== undefined) {
        // The head of the answer, up to the empty line, is not part of the stream.
        head += chunk.toString('latin1');
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        left += end + 4;
        chunk = Buffer.from(head, 'latin1');
        head = undefined;
      }
      client.write(chunk.subarray(0, left));
      left -= chunk.length;
      if (left <= 0) client.destroySoon();
    });
    client.on('close', () => target.destroy()).on('error', () => undefined);
    target.on('close', () => client.destroy()).on('error', () => undefined);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: ownPort } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${ownPort}`,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}

interface SocketReadOptions {
  until: (event: SessionEvent) => boolean;
  headers?: Record<string, string>;
  onOpen?: () => void;
  onEvent?: (event: SessionEvent) => void;
  /** Goes on after a cut, as clients do, with the last cursor. */
  resumes?: boolean;
}

/** An event as a client got it, and the cursor that came with it. */
export interface Received {
  id: string | undefined;
  event: SessionEvent;
}

/** The events of a stream, with the deltas between two rows joined: how text is cut may differ. */
export function outline(received: Received[]): [string, number, string][] {
  const events: [string, number, string][] = [];
  for (const { event } of received) {
    const last = events.at(-1);
    if (event.type === 'assistant.delta' && last?.[0] === event.type) last[2] += event.message;
    else events.push([event.type, event.seq, event.message]);
  }
  return events;
}
