import {
  type Accepted,
  conversationOutbound,
  type RowType,
  type SessionEvent,
} from '@soma/contracts';
import { loadConfig, newIdentifier } from '@soma/kernel';
import { CoalescingProducer, KafkaConnection } from '@soma/messaging';
import { createLogger } from '@soma/observability';
import { openEventStream, patientFetch, type TestDatabase, until } from '@soma/testing';
import { gatewayConfig } from '../../gateway.config.ts';
import { createGatewayServers, startGateway, type TestServers } from '../../spec-support.ts';
import type { Received } from '../spec-support.ts';

/** An answer in pieces, with what takes more than one unit, more than one byte, or joins to the left. */
export const PIECES = [
  'Gr\u00fc\u00dfe \u{1f44b}\u{1f3fd}, e',
  '\u0301t "\u{1f469}\u200d\u{1f52c}"\n',
];
export const TEXT = PIECES.join('');

/** What a stream of one answered message says, by `outline`. */
export const WHOLE = [
  ['user.message', 1, 'Hello'],
  ['assistant.started', 2, ''],
  ['assistant.delta', 2, TEXT],
  ['assistant.final', 3, TEXT],
];

export const isFinal = ({ type }: SessionEvent): boolean => type === 'assistant.final';

/** A gateway that a test has started. */
export interface Pod {
  url: string;
  stop: () => Promise<void>;
}

/** How far a stream is read, and from where. */
export interface ReadOptions {
  until?: (event: SessionEvent) => boolean;
  cutAfterBytes?: number;
  lastId?: string | undefined;
  onOpen?: () => void;
  onEvent?: (event: SessionEvent) => void;
}

/** Two gateways over one timeline, and somebody who answers as a worker does. */
export class Stage {
  readonly #tokens = new Map<string, Promise<string>>();
  #one = '';
  #other = '';

  private constructor(
    readonly servers: TestServers,
    private readonly producer: CoalescingProducer,
    private readonly running: AsyncDisposableStack,
  ) {}

  /** Everything that is started is left on the stack. */
  static async open(running: AsyncDisposableStack): Promise<Stage> {
    const servers = await createGatewayServers(running);
    const { brokers, topicPrefix } = servers.kafka;
    const settings = { KAFKA_BROKERS: brokers, KAFKA_TOPIC_PREFIX: topicPrefix };
    const producer = new CoalescingProducer(
      new KafkaConnection(loadConfig(gatewayConfig, settings), {
        clientId: 'streams-tests',
        logger: createLogger({ service: 'streams-tests', level: 'silent' }),
      }),
    );
    running.defer(() => producer.onApplicationShutdown());
    const stage = new Stage(servers, producer, running);
    stage.#one = (await stage.startPod()).url;
    stage.#other = (await stage.startPod()).url;
    return stage;
  }

  get one(): string {
    return this.#one;
  }

  get other(): string {
    return this.#other;
  }

  get database(): TestDatabase {
    return this.servers.database;
  }

  async startPod(settings: Record<string, string> = {}): Promise<Pod> {
    const gateway = await startGateway(this.servers, settings);
    const { url } = gateway;
    let stopping: PromiseLike<void> | undefined;
    const stop = async (): Promise<void> => (stopping ??= gateway[Symbol.asyncDispose]());
    this.running.defer(stop);
    await until(async () => (await fetch(`${url}/v1/health/ready`)).ok);
    return { url, stop };
  }

  /** One token per tenant: these tests open thousands of streams. */
  async headersOf(tenant = 'acme'): Promise<Record<string, string>> {
    const token = this.#tokens.get(tenant) ?? this.servers.issuer.tokenFor(tenant, 'gateway');
    this.#tokens.set(tenant, token);
    return { authorization: `Bearer ${await token}` };
  }

  /** Accepts a message, and answers it like a worker. */
  async begin(sessionId = newIdentifier()): Promise<ScriptedTurn> {
    const response = await patientFetch(`${this.#one}/v1/session/message`, {
      method: 'POST',
      headers: {
        ...(await this.headersOf()),
        'content-type': 'application/json',
        'idempotency-key': newIdentifier(),
      },
      body: JSON.stringify({ session_id: sessionId, message: 'Hello' }),
    });
    const { event_id: turnId, cursor } = (await response.json()) as Accepted;
    return new ScriptedTurn(this.database, this.producer, { sessionId, turnId, cursor });
  }

  /** A message whose answer has all of its text, and no end yet. */
  async openAnswer(): Promise<ScriptedTurn> {
    const turn = await this.begin();
    await turn.row('assistant.started', { keep: 0 });
    for (const piece of PIECES) await turn.piece(piece);
    return turn;
  }

  /** Reads a stream until an event says that it is enough, or as far as the cut. */
  async read(url: string, { lastId, ...options }: ReadOptions): Promise<Received[]> {
    const received = await this.#readOnce(url, { lastId, ...options });
    const last = received.at(-1);
    const isCut = options.cutAfterBytes !== undefined || options.until === undefined;
    if (isCut || (last && options.until?.(last.event))) return received;
    // A gateway ends a stream that it cannot serve. A client opens it again.
    const more = { ...options, onOpen: () => undefined, lastId: last?.id ?? lastId };
    return [...received, ...(await this.read(url, more))];
  }

  async #readOnce(url: string, options: ReadOptions): Promise<Received[]> {
    const { until: isLast, cutAfterBytes, lastId, onOpen, onEvent } = options;
    const headers = { ...(await this.headersOf()), ...(lastId && { 'last-event-id': lastId }) };
    using stream = await openEventStream(url, {
      headers,
      ...(cutAfterBytes !== undefined && { cutAfterBytes }),
    });
    onOpen?.();
    const received: Received[] = [];
    for await (const { id, data } of stream) {
      const event = JSON.parse(data) as SessionEvent;
      received.push({ id, event });
      onEvent?.(event);
      if (isLast?.(event)) break;
    }
    return received;
  }
}

/** Where a turn's session is read as server-sent events. */
export const pathOf = ({ sessionId }: ScriptedTurn): string => `/v1/session/${sessionId}/events`;

/** Answers a turn as a worker does: rows into the timeline, and what others hear into Kafka. */
export class ScriptedTurn {
  readonly sessionId: string;
  readonly #turnId: string;
  /** Of the last row or piece that it has written, and at first of its message. */
  cursor: string;
  #startedSeq = 0;
  #text = '';
  #repeating: NodeJS.Timeout | undefined;

  constructor(
    private readonly database: TestDatabase,
    private readonly producer: CoalescingProducer,
    { sessionId, turnId, cursor }: { sessionId: string; turnId: string; cursor: string },
  ) {
    this.sessionId = sessionId;
    this.#turnId = turnId;
    this.cursor = cursor;
  }

  /** Commits a row. Unless told otherwise Kafka hears of it, and of an open answer's text again. */
  async row(
    type: RowType,
    fields: { keep?: number } & Record<string, unknown> = {},
    { isHeard = true, isRepeated = true } = {},
  ): Promise<void> {
    clearInterval(this.#repeating);
    const [session] = await this.database.execute(
      `UPDATE conversation.sessions SET last_seq = last_seq + 1
        WHERE session_id = $1 RETURNING last_seq`,
      [this.sessionId],
    );
    const seq = Number(session?.['last_seq']);
    const row = { type, event_id: newIdentifier(), seq, cursor: `${seq}.0`, message: '' };
    const envelope = JSON.stringify({ ...this.#envelope(), ...row, persona_id: null, ...fields });
    this.cursor = row.cursor;
    await this.database.execute(
      `INSERT INTO conversation.session_events (tenant_id, session_id, seq, event_id, turn_id,
              type, envelope, occurred_at, published_at)
       VALUES ('acme', $1, $2, $3, $4, $5, $6, now(), now())`,
      [this.sessionId, seq, row.event_id, this.#turnId, type, envelope],
    );
    if (type === 'assistant.started') this.#open(seq, { ...fields, isRepeated });
    if (isHeard) await this.#publish(envelope);
  }

  /** As long as the answer is open its whole text is repeated, for those who lack a part of it. */
  #open(seq: number, { keep = 0, isRepeated }: { keep?: number; isRepeated: boolean }): void {
    this.#startedSeq = seq;
    this.#text = this.#text.slice(0, keep);
    if (!isRepeated) return;
    this.#repeating = setInterval(() => {
      // What Kafka does not take is repeated again; and it is closed before an answer is left open.
      if (this.#text !== '') this.repeatText().catch(() => undefined);
    }, 2_000).unref();
  }

  /** Streams a piece of the answer, by default the next one. */
  async piece(message: string, from = this.#text.length): Promise<void> {
    this.#text = this.#text.slice(0, from) + message;
    this.cursor = `${this.#startedSeq}.${this.#text.length}`;
    await this.#publishPiece(message, from);
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
    await this.#publishPiece(this.#text, 0);
  }

  async #publishPiece(message: string, from: number): Promise<void> {
    const seq = this.#startedSeq;
    const to = from + message.length;
    const place = { seq, started_seq: seq, from, to, cursor: `${seq}.${to}` };
    const piece = { ...this.#envelope(), type: 'assistant.delta', message, ...place };
    await this.#publish(JSON.stringify(piece));
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
    const key = `acme:${this.sessionId}`;
    await this.producer.send({ topic: conversationOutbound.name, key, value });
  }
}
