import { Agent, type ClientRequest, get, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Client } from './client.ts';

const EVENT_LINE = /^event: (.*)$/m;

/**
 * One session, spoken to and listened to with little more than sockets: what a client costs should
 * not be what is measured.
 */
export class Conversation implements Disposable {
  readonly #client: Client;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #message: string;
  #sessionId: string | undefined;
  #stream: IncomingMessage | undefined;
  /** The end of what came, up to where a frame is whole. */
  #rest = '';
  /** Events that came and that nobody has asked for yet, by type. */
  readonly #unheard = new Map<string, number>();
  #awaited: { type: string; heard: () => void; failed: (error: Error) => void } | undefined;

  private constructor(client: Client, message: string) {
    this.#client = client;
    this.#message = message;
  }

  /** Opens a session by a first message, and its stream, and waits until that is answered. */
  static async open(client: Client, message: string): Promise<Conversation> {
    const conversation = new Conversation(client, message);
    await conversation.say();
    await conversation.#listen();
    await conversation.hear('assistant.final');
    return conversation;
  }

  /** Resolves when the message is accepted. What was not heard of earlier answers is forgotten. */
  async say(): Promise<void> {
    this.#unheard.clear();
    const body = JSON.stringify({ message: this.#message, session_id: this.#sessionId });
    const sent = request(`${this.#client.url}/v1/session/message`, {
      method: 'POST',
      agent: this.#agent,
      headers: {
        ...this.#headers,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      },
    });
    sent.end(body);
    const answer = await text(await answerTo(sent, 202));
    this.#sessionId ??= (JSON.parse(answer) as { session_id: string }).session_id;
  }

  /** Resolves when the next event of the type has come; each is heard once. One call at a time. */
  hear(type: string): Promise<void> {
    return new Promise((heard, failed) => {
      this.#awaited = { type, heard, failed };
      this.#settle();
    });
  }

  [Symbol.dispose](): void {
    this.#stream?.destroy();
    this.#agent.destroy();
  }

  get #headers(): Record<string, string> {
    return { authorization: `Bearer ${this.#client.token}` };
  }

  async #listen(): Promise<void> {
    const url = `${this.#client.url}/v1/session/${this.#sessionId ?? ''}/events?cursor=0`;
    this.#stream = await answerTo(get(url, { headers: this.#headers }), 200);
    this.#stream.setEncoding('utf8').on('data', (chunk: string) => {
      const frames = (this.#rest + chunk).split('\n\n');
      this.#rest = frames.pop() ?? '';
      for (const frame of frames) this.#take(frame);
    });
  }

  #take(frame: string): void {
    const type = EVENT_LINE.exec(frame)?.[1] ?? 'comment';
    this.#unheard.set(type, (this.#unheard.get(type) ?? 0) + 1);
    if (type === 'assistant.error') this.#awaited?.failed(new Error(frame));
    this.#settle();
  }

  #settle(): void {
    const { type = '', heard } = this.#awaited ?? {};
    const count = this.#unheard.get(type) ?? 0;
    if (count === 0) return;
    this.#unheard.set(type, count - 1);
    this.#awaited = undefined;
    heard?.();
  }
}

function answerTo(sent: ClientRequest, status: number): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.on('error', reject).on('response', (response) => {
      if (response.statusCode === status) resolve(response);
      else reject(new Error(`It was answered with ${response.statusCode ?? 0}.`));
    });
  });
}
