import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { conversationOutbound, type RowType, type SessionEvent } from '@soma/contracts';
import { createService } from '@soma/http';
import { loadConfig, newIdentifier, Secret } from '@soma/kernel';
import { CoalescingProducer, KafkaConnection } from '@soma/messaging';
import { migrate } from '@soma/migrations';
import { createLogger } from '@soma/observability';
import {
  createTestDatabase,
  createTestKafka,
  createTestRedis,
  openEventStream,
  startTokenIssuer,
  type TestDatabase,
  type TestTokenIssuer,
} from '@soma/testing';
import { apiDescription } from '../api-description.ts';
import { AppModule } from '../app.module.ts';
import { gatewayConfig } from '../gateway.config.ts';
import { type GatewayServers, makeTopics, until } from '../spec-support.ts';
import { StreamsModule } from './streams.module.ts';

@Module({})
class GatewayWithStreams {}

const PIECES = [
  'Gr\u00fc\u00dfe \u{1f44b}\u{1f3fd}',
  ', e\u0301t ',
  '"\u{1f469}\u200d\u{1f52c}"\n',
];
const TEXT = PIECES.join('');

describe('streams of two gateways', () => {
  const running = new AsyncDisposableStack();
  let database: TestDatabase;
  let issuer: TestTokenIssuer;
  let producer: CoalescingProducer;
  let servers: GatewayServers;
  let one: string;
  let other: string;

  beforeAll(async () => {
    database = running.use(await createTestDatabase());
    const kafka = running.use(createTestKafka());
    issuer = running.use(await startTokenIssuer());
    await Promise.all([migrate(new Secret(database.ownerUrl)), makeTopics(kafka)]);
    const { url: redisUrl } = await createTestRedis();
    servers = { databaseUrl: await database.loginUrl('gateway'), kafka, redisUrl, issuer };
    const settings = { KAFKA_BROKERS: kafka.brokers, KAFKA_TOPIC_PREFIX: kafka.topicPrefix };
    producer = new CoalescingProducer(
      new KafkaConnection(loadConfig(gatewayConfig, settings), {
        clientId: 'streams-tests',
        logger: createLogger({ service: 'streams-tests', level: 'silent' }),
      }),
    );
    running.defer(() => producer.onApplicationShutdown());
    one = (await startPod()).url;
    other = (await startPod()).url;
  });

  // Also when the set-up fails half-way: a server left behind would keep the test run from ending.
  afterAll(() => running.disposeAsync());

  async function startPod(settings: Record<string, string> = {}): Promise<Pod> {
    const config = loadConfig(gatewayConfig, {
      LOG_LEVEL: 'silent',
      DATABASE_URL: servers.databaseUrl,
      KAFKA_BROKERS: servers.kafka.brokers,
      KAFKA_TOPIC_PREFIX: servers.kafka.topicPrefix,
      REDIS_URL: servers.redisUrl,
      IDENTITY_ISSUER: issuer.url,
      GATEWAY_JWT_JWKS_URL: issuer.jwksUrl,
      OTEL_EXPORTER_OTLP_ENDPOINT: '',
      ...settings,
    });
    const module = {
      module: GatewayWithStreams,
      imports: [AppModule.configure(config), StreamsModule],
    };
    const service = await createService(module, { name: 'gateway', config, api: apiDescription });
    let stopping: Promise<void> | undefined;
    const stop = (): Promise<void> => (stopping ??= service.close());
    running.defer(stop);
    await service.listen(0, '127.0.0.1');
    const { port } = service.getHttpServer().address() as AddressInfo;
    const url = `http://127.0.0.1:${port}`;
    await until(async () => ((await fetch(`${url}/v1/health/ready`)).ok ? true : undefined));
    return { url, stop };
  }

  async function headersOf(tenant = 'acme'): Promise<Record<string, string>> {
    return { authorization: `Bearer ${await issuer.tokenFor(tenant, 'gateway')}` };
  }

  /** Accepts a message, and answers it like a worker. */
  async function begin(sessionId = newIdentifier()): Promise<ScriptedTurn> {
    const response = await fetch(`${one}/v1/session/message`, {
      method: 'POST',
      headers: { ...(await headersOf()), 'content-type': 'application/json' },
      body: JSON.stringify({ session_id: sessionId, message: 'Hello' }),
    });
    const { event_id: turnId } = (await response.json()) as { event_id: string };
    return new ScriptedTurn(database, producer, { sessionId, turnId });
  }

  async function openAnswer(): Promise<ScriptedTurn> {
    const turn = await begin();
    await turn.row('assistant.started', { keep: 0 });
    for (const piece of PIECES) await turn.piece(piece);
    return turn;
  }

  /** Reads a stream until an event says that it is enough. */
  async function read(url: string, options: ReadOptions): Promise<Received[]> {
    const { until: isLast, cutAfterBytes, lastId, onOpen } = options;
    const headers = { ...(await headersOf()), ...(lastId && { 'last-event-id': lastId }) };
    using stream = await openEventStream(url, {
      headers,
      ...(cutAfterBytes !== undefined && { cutAfterBytes }),
    });
    onOpen?.();
    const received: Received[] = [];
    for await (const { id, data } of stream) {
      const event = JSON.parse(data) as SessionEvent;
      received.push({ id, event });
      if (isLast?.(event)) break;
    }
    return received;
  }

  const pathOf = ({ sessionId }: ScriptedTurn): string => `/v1/session/${sessionId}/events`;

  it('goes on in the other gateway after a cut at any byte (P4)', async () => {
    const lengthOfAnswer = (await openAnswer()).envelopesLength + 4 * FRAME_LENGTH;
    for (let begin = 0; begin <= lengthOfAnswer; begin += CUTS_AT_ONCE) {
      const turn = await openAnswer();
      let resumed = 0;
      const resume = async (cutAfterBytes: number): Promise<Received[]> => {
        const path = `${pathOf(turn)}?cursor=0`;
        const before = await read(one + path, { cutAfterBytes, until: endsText });
        const lastId = before.at(-1)?.id;
        const after = await read(other + path, {
          ...{ lastId, until: isFinal },
          onOpen: () => (resumed += 1),
        });
        return [...before, ...after];
      };
      const streams = Array.from({ length: CUTS_AT_ONCE }, (_, index) => resume(begin + index));
      // Every stream has been cut and goes on elsewhere, in the middle of the answer.
      await until(() => Promise.resolve(resumed === CUTS_AT_ONCE || undefined));
      await turn.row('assistant.final', { message: TEXT });
      for (const stream of await Promise.all(streams)) expect(outline(stream)).toEqual(WHOLE);
    }
  }, 120_000);
});

/** What a frame has besides the envelope, at most: `id`, `event` and `data` with their line ends. */
const FRAME_LENGTH = 60;
const CUTS_AT_ONCE = 200;

const isFinal = ({ type }: SessionEvent): boolean => type === 'assistant.final';
const endsText = (event: SessionEvent): boolean => 'to' in event && event.to === TEXT.length;

interface Pod {
  url: string;
  stop: () => Promise<void>;
}

interface ReadOptions {
  until?: (event: SessionEvent) => boolean;
  cutAfterBytes?: number;
  lastId?: string | undefined;
  onOpen?: () => void;
}

interface Received {
  id: string | undefined;
  event: SessionEvent;
}

const WHOLE = [
  ['user.message', 1, 'Hello'],
  ['assistant.started', 2, ''],
  ['assistant.delta', 2, TEXT],
  ['assistant.final', 3, TEXT],
];

/** The events of a stream, with the deltas between two rows joined: how text is cut may differ. */
function outline(received: Received[]): [string, number, string][] {
  const events: [string, number, string][] = [];
  for (const { event } of received) {
    const last = events.at(-1);
    if (event.type === 'assistant.delta' && last?.[0] === event.type) last[2] += event.message;
    else events.push([event.type, event.seq, event.message]);
  }
  return events;
}

/** Answers a turn as a worker does: rows into the timeline, and what others hear into Kafka. */
class ScriptedTurn {
  readonly sessionId: string;
  readonly #turnId: string;
  /** Of all that it has written, in bytes. */
  envelopesLength = 0;
  #startedSeq = 0;
  #text = '';

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
    if (type === 'assistant.started') this.#startedSeq = seq;
    if (isHeard) await this.#publish(envelope);
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
    this.envelopesLength += Buffer.byteLength(value);
    const key = `acme:${this.sessionId}`;
    await this.producer.send({ topic: conversationOutbound.name, key, value });
  }
}
