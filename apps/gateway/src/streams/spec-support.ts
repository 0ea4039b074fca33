import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { conversationOutbound, type RowType, type SessionEvent } from '@soma/contracts';
import { newIdentifier, sleep } from '@soma/kernel';
import type { CoalescingProducer } from '@soma/messaging';
import type { TestDatabase } from '@soma/testing';
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

/** Answers a turn as a worker does: rows into the timeline, and what others hear into Kafka. */
export class ScriptedTurn {
  readonly sessionId: string;
  readonly #turnId: string;
  /** Of all that it has written, in bytes. */
  writtenBytes = 0;
  #startedSeq = 0;
  #text = '';
  #repeating: NodeJS.Timeout | undefined;

  constructor(
    private readonly database: TestDatabase,
    private readonly producer: CoalescingProducer,
    { sessionId, turnId }: { sessionId: string; turnId: string },
  ) {
    this.sessionId = sessionId;
    this.#turnId = turnId;
  }

  /** Commits a row. Unless told otherwise Kafka hears of it. */
  async row(type: RowType, fields: object = {}, { isHeard = true } = {}): Promise<void> {
    const [session] = await this.database.execute(
      `UPDATE conversation.sessions SET last_seq = last_seq + 1
        WHERE session_id = $1 RETURNING last_seq`,
      [this.sessionId],
    );
    const seq = Number(session?.['last_seq']);
    const row = { type, event_id: newIdentifier(), seq, cursor: `${seq}.0`, message: '' };
    const envelope = JSON.stringify({ ...this.#envelope(), ...row, persona_id: null, ...fields });
    await this.database.execute(
      `INSERT INTO conversation.session_events (tenant_id, session_id, seq, event_id, turn_id,
              type, envelope, occurred_at, published_at)
       VALUES ('acme', $1, $2, $3, $4, $5, $6, now(), now())`,
      [this.sessionId, seq, row.event_id, this.#turnId, type, envelope],
    );
    clearInterval(this.#repeating);
    if (type === 'assistant.started') this.#open(seq);
    if (isHeard) await this.#publish(envelope);
  }

  /** As long as the answer is open its whole text is repeated, for those who lack a part of it. */
  #open(seq: number): void {
    this.#startedSeq = seq;
    this.#repeating = setInterval(() => {
      // What Kafka does not take is repeated again; and it is closed before an answer is left open.
      if (this.#text !== '') this.repeatText().catch(() => undefined);
    }, 2_000).unref();
  }

  /** Streams a piece of the answer, by default the next one. */
  async piece(message: string, from = this.#text.length): Promise<void> {
    this.#text = this.#text.slice(0, from) + message;
    const seq = this.#startedSeq;
    const to = this.#text.length;
    const place = { seq, started_seq: seq, from, to, cursor: `${seq}.${to}` };
    const piece = { ...this.#envelope(), type: 'assistant.delta', message, ...place };
    await this.#publish(JSON.stringify(piece));
  }

  async thinking(message: string): Promise<void> {
    const seq = this.#startedSeq;
    const to = this.#text.length;
    const place = { seq, started_seq: seq, from: to, to, cursor: `${seq}.${to}` };
    const piece = { ...this.#envelope(), type: 'assistant.thinking', message, ...place };
    await this.#publish(JSON.stringify(piece));
  }

  get text(): string {
    return this.#text;
  }

  async repeatText(): Promise<void> {
    await this.piece(this.#text, 0);
  }

  #envelope(): object {
    return {
      schema: conversationOutbound.version,
      tenant_id: 'acme',
      session_id: this.sessionId,
      turn_id: this.#turnId,
      principal: { subject: 'conversation-worker' },
      occurred_at: new Date().toISOString(),
      role: 'assistant',
      metadata: {},
    };
  }

  async #publish(value: string): Promise<void> {
    this.writtenBytes += Buffer.byteLength(value);
    const key = `acme:${this.sessionId}`;
    await this.producer.send({ topic: conversationOutbound.name, key, value });
  }
}
