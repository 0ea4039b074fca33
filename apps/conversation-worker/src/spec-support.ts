import { Controller, type INestApplication, Module } from '@nestjs/common';
import {
  type Accepted,
  type Principal,
  type RowEvent,
  sessionKey,
  type ToolRequest,
  toolRequests,
  type ToolResult,
  toolResults,
  topicCatalog,
} from '@soma/contracts';
import { createService } from '@soma/http';
import { loadConfig, newIdentifier, retryTransient, Secret } from '@soma/kernel';
import {
  CoalescingProducer,
  createTopics,
  KafkaConnection,
  KafkaConsumers,
  kafkaSettings,
  MessagingModule,
  OnTopicBatch,
  type TopicBatch,
} from '@soma/messaging';
import { migrate } from '@soma/migrations';
import { createLogger } from '@soma/observability';
import { openDataSource, TenantTransaction } from '@soma/persistence';
import { AcceptTurns, RowAnnouncer, Sessions, Timeline } from '@soma/sessions';
import {
  createTestDatabase,
  createTestKafka,
  type ModelScript,
  startModelServer,
  type TestDatabase,
  type TestKafka,
  type TestModelServer,
  until,
} from '@soma/testing';
import { z } from 'zod';
import { AppModule } from './app.module.ts';
import type { OfferedTool } from './tools/offered-tools.ts';
import { workerConfig } from './worker.config.ts';

export const acme: Principal = { subject: 'ada', tenant_id: 'acme', scopes: [] };
export const ENDS = ['assistant.final', 'assistant.cancelled', 'assistant.error'];

/** A message that tells the model server how to answer it. */
export const follow = (script: ModelScript): string => `!script ${JSON.stringify(script)}`;
/** A message whose calls are answered by one script after the other. */
export const attempts = (...scripts: ModelScript[]): string =>
  `!attempts ${JSON.stringify(scripts)}`;

/** The servers around workers, with a scripted model. */
export interface WorkerServers {
  database: TestDatabase;
  kafka: TestKafka;
  models: TestModelServer;
}

/** Whatever is started is left on the stack, which the test disposes of. */
export async function startServers(running: AsyncDisposableStack): Promise<WorkerServers> {
  const database = running.use(await createTestDatabase());
  const kafka = running.use(createTestKafka());
  const models = running.use(await startModelServer());
  await migrate(new Secret(database.ownerUrl));
  await retryTransient(() => createTopics(connectionTo(kafka), topicCatalog, 1), { attempts: 20 });
  return { database, kafka, models };
}

function kafkaConfig({ brokers, topicPrefix }: TestKafka) {
  return loadConfig(z.object(kafkaSettings), {
    KAFKA_BROKERS: brokers,
    KAFKA_TOPIC_PREFIX: topicPrefix,
  });
}

const identity = {
  clientId: 'test',
  logger: createLogger({ service: 'test', level: 'silent' }),
};

function connectionTo(kafka: TestKafka): KafkaConnection {
  return new KafkaConnection(kafkaConfig(kafka), identity);
}

/** How a worker is started. */
export interface WorkerOptions {
  settings?: Record<string, string>;
  tools?: readonly OfferedTool[];
}

export async function startWorker(
  running: AsyncDisposableStack,
  { database, kafka, models }: WorkerServers,
  { settings = {}, tools = [] }: WorkerOptions = {},
): Promise<TestWorker> {
  const config = loadConfig(workerConfig, {
    DATABASE_URL: await database.loginUrl('conversation_worker'),
    KAFKA_BROKERS: kafka.brokers,
    KAFKA_TOPIC_PREFIX: kafka.topicPrefix,
    OTEL_EXPORTER_OTLP_ENDPOINT: '',
    LOG_LEVEL: 'silent',
    OPENAI_API_KEY: 'key',
    OPENAI_BASE_URL: models.url,
    LEASE_MS: '2000',
    HISTORY_MAX_TOKENS: '8000',
    DRAIN_MS: '200',
    ...settings,
  });
  const service = await createService(AppModule.configure(config, tools));
  return new TestWorker(await startConsumers(running, service));
}

/** Deletes a session as a gateway does, which alone may. */
export async function deleteSession(
  { database }: WorkerServers,
  principal: Principal,
  sessionId: string,
): Promise<void> {
  const dataSource = await openDataSource({ url: new Secret(await database.loginUrl('gateway')) });
  try {
    const announcer: RowAnnouncer = { publish: () => undefined };
    const sessions = new Sessions(new TenantTransaction(dataSource), announcer);
    await sessions.delete(principal, sessionId, () => Promise.resolve());
  } finally {
    await dataSource.destroy();
  }
}

async function startConsumers<Service extends INestApplication>(
  running: AsyncDisposableStack,
  service: Service,
): Promise<Service> {
  running.defer(() => service.close());
  service.connectMicroservice({ strategy: service.get(KafkaConsumers) });
  await service.startAllMicroservices();
  await service.init();
  return service;
}

/** A worker of this process, and what tests ask of the sessions that it works on. */
export class TestWorker {
  constructor(private readonly service: INestApplication) {}

  get get(): INestApplication['get'] {
    return this.service.get.bind(this.service);
  }

  close(): Promise<void> {
    return this.service.close();
  }

  /** @returns Where it serves HTTP from now on. */
  async listen(): Promise<string> {
    await this.service.listen(0, '127.0.0.1');
    return this.service.getUrl();
  }

  say(message: string, sessionId = newIdentifier()): Promise<Accepted> {
    return this.get(AcceptTurns).accept({ principal: acme, sessionId, message });
  }

  async eventsOf(sessionId: string): Promise<RowEvent[]> {
    const rows = await this.get(Timeline).rowsAfter('acme', sessionId, { seq: 0, limit: 1000 });
    return rows.map(({ envelope }) => JSON.parse(envelope) as RowEvent);
  }

  /** The rows of a session once so many of its turns have ended. */
  async endOf(sessionId: string, turns = 1): Promise<RowEvent[]> {
    let events: RowEvent[] = [];
    await until(async () => {
      events = await this.eventsOf(sessionId);
      return events.filter(({ type }) => ENDS.includes(type)).length >= turns;
    });
    return events;
  }
}

/** Whoever runs tools, as far as workers know it: requests in, results out, and no tool. */
@Controller()
export class Executor {
  readonly requests: ToolRequest[] = [];

  constructor(private readonly producer: CoalescingProducer) {}

  /** A call with an `answer` among its arguments gets it at once; any other waits for the test. */
  @OnTopicBatch(toolRequests, { group: 'tool-executor' })
  async take(batch: TopicBatch<ToolRequest>): Promise<void> {
    for (const { value } of batch) {
      this.requests.push(value);
      const { answer } = value.arguments;
      if (answer !== undefined) await this.answer(value, { output: answer });
    }
  }

  /** The requests of a session, once there are so many. */
  async requestsOf(sessionId: string, count = 1): Promise<ToolRequest[]> {
    const found = () => this.requests.filter(({ session_id }) => session_id === sessionId);
    await until(() => found().length >= count);
    return found();
  }

  async answer(request: ToolRequest, outcome: Partial<ToolResult> = {}): Promise<void> {
    const { tenant_id, session_id, turn_id, seq, cursor, call_id, attempt, principal } = request;
    const result: ToolResult = {
      ...{ tenant_id, session_id, turn_id, seq, cursor, call_id, attempt, principal },
      occurred_at: new Date().toISOString(),
      schema: toolResults.version,
      type: 'tool.result',
      status: 'ok',
      output: null,
      ...outcome,
    };
    const value = JSON.stringify(result);
    await this.producer.send({ topic: toolResults.name, key: sessionKey(request), value });
  }
}

export async function startExecutor(
  running: AsyncDisposableStack,
  { kafka }: WorkerServers,
): Promise<Executor> {
  @Module({
    imports: [MessagingModule.connect(kafkaConfig(kafka), identity)],
    controllers: [Executor],
  })
  class ExecutorModule {}
  const service = await startConsumers(running, await createService(ExecutorModule));
  return service.get(Executor);
}
