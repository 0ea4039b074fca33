import type { Accepted, SessionEvent } from '@soma/contracts';
import { loadConfig, newIdentifier } from '@soma/kernel';
import { CoalescingProducer, KafkaConnection } from '@soma/messaging';
import { createLogger } from '@soma/observability';
import { openEventStream, patientFetch, type TestDatabase, until } from '@soma/testing';
import { gatewayConfig } from '../../gateway.config.ts';
import { createGatewayServers, startGateway, type TestServers } from '../../spec-support.ts';
import { ScriptedTurn } from '../scripted-turn/spec-support.ts';
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
