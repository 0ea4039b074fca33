import type { AddressInfo } from 'node:net';
import { topicCatalog } from '@soma/contracts';
import { createService } from '@soma/http';
import { loadConfig, retryTransient, Secret } from '@soma/kernel';
import { createTopics, KafkaConnection } from '@soma/messaging';
import { migrate } from '@soma/migrations';
import { createLogger } from '@soma/observability';
import {
  createTestDatabase,
  createTestKafka,
  createTestRedis,
  patientFetch,
  startTokenIssuer,
  type TestDatabase,
  type TokenClaims,
} from '@soma/testing';
import { apiDescription } from './api-description.ts';
import { AppModule } from './app.module.ts';
import { type GatewayConfig, gatewayConfig } from './gateway.config.ts';

/** The real servers that a gateway of a test works with. */
export interface GatewayServers {
  databaseUrl: string;
  kafka: { brokers: string; topicPrefix: string };
  redisUrl: string;
  issuer: {
    url: string;
    jwksUrl: string;
    tokenFor: (tenantId: string, audience: string, claims?: TokenClaims) => Promise<string>;
  };
}

/** Servers of one test file alone, into whose database it may look. */
export interface TestServers extends GatewayServers {
  database: TestDatabase;
}

/** What a test sends. */
interface TestRequest {
  method?: string;
  /** Sent as JSON; text is sent as it is. */
  body?: unknown;
  headers?: Record<string, string>;
  /** Whose credential is sent. Default: `acme`. */
  tenant?: string;
  /** Answers a 503 that says when to try again, instead of trying again. */
  isHasty?: boolean;
}

/** A gateway that listens. Disposing of it stops it as SIGTERM does. */
export interface TestGateway extends AsyncDisposable {
  url: string;
  send: (path: string, request?: TestRequest) => Promise<Response>;
  get: (path: string, request?: TestRequest) => Promise<TestAnswer>;
  /** Sends a body and answers status and parsed answer. */
  post: (path: string, body: unknown, request?: TestRequest) => Promise<TestAnswer>;
}

export interface TestAnswer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

/** A migrated database, topics, Redis and an issuer of tokens, for one test file alone. */
export async function createGatewayServers(running: AsyncDisposableStack): Promise<TestServers> {
  const database = running.use(await createTestDatabase());
  const kafka = running.use(createTestKafka());
  const issuer = running.use(await startTokenIssuer());
  await Promise.all([migrate(new Secret(database.ownerUrl)), makeTopics(kafka)]);
  const { url: redisUrl } = await createTestRedis();
  const databaseUrl = await database.loginUrl('gateway');
  return { database, databaseUrl, kafka, redisUrl, issuer };
}

/** The way of a test itself to Kafka. */
export function connectionTo(kafka: GatewayServers['kafka']): KafkaConnection {
  const settings = { KAFKA_BROKERS: kafka.brokers, KAFKA_TOPIC_PREFIX: kafka.topicPrefix };
  return new KafkaConnection(loadConfig(gatewayConfig, settings), {
    clientId: 'gateway-tests',
    logger: createLogger({ service: 'gateway-tests', level: 'silent' }),
  });
}

/** Makes the topics of the catalog. */
export async function makeTopics(kafka: GatewayServers['kafka']): Promise<void> {
  const connection = connectionTo(kafka);
  // A broker that makes many topics at once may not know one of them yet.
  await retryTransient(() => createTopics(connection, topicCatalog, 1), { attempts: 5 });
}

/** Starts the whole app on a free port. */
export async function startGateway(
  servers: GatewayServers,
  settings: Record<string, string> = {},
): Promise<TestGateway> {
  const config = testConfig(servers, settings);
  const service = await createService(AppModule.configure(config), {
    name: 'gateway',
    config,
    api: apiDescription,
    apiVersion: config.GATEWAY_API_VERSION,
    legacyHealth: true,
  });
  await service.listen(0, '127.0.0.1');
  const { port } = service.getHttpServer().address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const send = sender(url, servers.issuer);
  return {
    url,
    send,
    get: async (path, request) => toAnswer(await send(path, request)),
    post: async (path, body, request) => toAnswer(await send(path, { body, ...request })),
    [Symbol.asyncDispose]: () => service.close(),
  };
}

function testConfig(servers: GatewayServers, settings: Record<string, string>): GatewayConfig {
  return loadConfig(gatewayConfig, {
    LOG_LEVEL: 'silent',
    DATABASE_URL: servers.databaseUrl,
    KAFKA_BROKERS: servers.kafka.brokers,
    KAFKA_TOPIC_PREFIX: servers.kafka.topicPrefix,
    REDIS_URL: servers.redisUrl,
    IDENTITY_ISSUER: servers.issuer.url,
    GATEWAY_JWT_JWKS_URL: servers.issuer.jwksUrl,
    OTEL_EXPORTER_OTLP_ENDPOINT: '',
    // One subject sends what all tests of a file send.
    RATE_LIMIT_SERVICE_PER_MINUTE: '1000000',
    ...settings,
  });
}

function sender(url: string, issuer: GatewayServers['issuer']): TestGateway['send'] {
  return async (path, request = {}) => {
    const { method, body, headers, tenant = 'acme' } = request;
    const ask = request.isHasty === true ? fetch : patientFetch;
    return ask(`${url}${path}`, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: {
        authorization: `Bearer ${await issuer.tokenFor(tenant, 'gateway')}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...bodyOf(body),
    });
  };
}

function bodyOf(body: unknown): { body?: string } {
  if (body === undefined) return {};
  return { body: typeof body === 'string' ? body : JSON.stringify(body) };
}

/** Reads an answer; one without a body reads as `{}`. */
export async function toAnswer(response: Response): Promise<TestAnswer> {
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>,
  };
}
