import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import {
  type MemberRole,
  roleScopes,
  topicCatalog,
  type AuditEvent,
  auditEvents,
} from '@soma/contracts';
import { createService } from '@soma/http';
import { loadConfig, retryTransient, Secret } from '@soma/kernel';
import { createTopics, KafkaConnection, kafkaSettings, BroadcastReader } from '@soma/messaging';
import { migrate } from '@soma/migrations';
import { createLogger } from '@soma/observability';
import {
  createTestDatabase,
  createTestKafka,
  createTestRedis,
  startTokenIssuer,
  type TestDatabase,
  type TestTokenIssuer,
} from '@soma/testing';
import { z } from 'zod';
import { apiDescription } from './api-description.ts';
import { AppModule } from './app.module.ts';
import { catalogConfig } from './catalog.config.ts';

/** The real servers of one test file, and what all pods of the catalog on them share. */
export interface CatalogServers {
  database: TestDatabase;
  kafka: { brokers: string; topicPrefix: string };
  issuer: TestTokenIssuer;
  /** The settings of a pod. */
  settings: Record<string, string>;
}

/** Who sends a request: a person by role, or a service of a tenant by its scopes. */
export interface TestCaller {
  tenant: string;
  subject?: string;
  role?: MemberRole;
  scopes?: readonly string[];
  amr?: readonly string[];
}

interface TestRequest {
  /** Default: a service of `acme` with every scope. Null: nobody. */
  as?: TestCaller | null;
  body?: unknown;
  headers?: Record<string, string>;
}

export interface TestAnswer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

/** A pod of the catalog that listens. Disposing of it stops it as SIGTERM does. */
export interface TestCatalog extends AsyncDisposable {
  url: string;
  service: INestApplication;
  /** Sends a request with a body of JSON, and reads the answer. */
  send: (method: string, path: string, request?: TestRequest) => Promise<TestAnswer>;
}

/** A migrated database, topics, Redis and an issuer of tokens, for one test file alone. */
export async function createCatalogServers(running: AsyncDisposableStack): Promise<CatalogServers> {
  const database = running.use(await createTestDatabase());
  const kafka = running.use(createTestKafka());
  const issuer = running.use(await startTokenIssuer());
  await Promise.all([migrate(new Secret(database.ownerUrl)), makeTopics(kafka)]);
  const settings = {
    LOG_LEVEL: 'silent',
    OTEL_EXPORTER_OTLP_ENDPOINT: '',
    DATABASE_URL: await database.loginUrl('connection_catalog'),
    REDIS_URL: (await createTestRedis()).url,
    KAFKA_BROKERS: kafka.brokers,
    KAFKA_TOPIC_PREFIX: kafka.topicPrefix,
    IDENTITY_ISSUER: issuer.url,
    GATEWAY_JWT_JWKS_URL: issuer.jwksUrl,
    // One subject sends what all tests of a file send.
    RATE_LIMIT_SERVICE_PER_MINUTE: '1000000',
    SOMA_MASTER_KEY: randomBytes(32).toString('base64'),
  };
  return { database, kafka, issuer, settings };
}

/** All that the audit log is told, from now on. */
export async function listenToAudit(
  { kafka }: CatalogServers,
  running: AsyncDisposableStack,
): Promise<AuditEvent[]> {
  const heard: AuditEvent[] = [];
  const reader = new BroadcastReader({
    connection: connectionTo(kafka),
    topic: auditEvents.name,
    beginBackMs: 60_000,
    onRecord: (_key, value) => {
      heard.push(auditEvents.schema.parse(JSON.parse(value.toString())));
    },
    onAssigned: () => undefined,
  });
  running.defer(() => reader.onApplicationShutdown());
  reader.onApplicationBootstrap();
  await reader.caughtUp;
  return heard;
}

/** The way to the topics of a test. */
export function connectionTo({ brokers, topicPrefix }: CatalogServers['kafka']): KafkaConnection {
  const settings = { KAFKA_BROKERS: brokers, KAFKA_TOPIC_PREFIX: topicPrefix };
  const config = loadConfig(z.object(kafkaSettings), settings);
  const logger = createLogger({ service: 'catalog-tests', level: 'silent' });
  return new KafkaConnection(config, { clientId: 'catalog-tests', logger });
}

async function makeTopics(kafka: CatalogServers['kafka']): Promise<void> {
  const connection = connectionTo(kafka);
  // A broker that makes many topics at once may not know one of them yet.
  await retryTransient(() => createTopics(connection, topicCatalog, 1), { attempts: 5 });
}

/** Starts a pod on a free port. */
export async function startCatalog(
  servers: CatalogServers,
  settings: Record<string, string> = {},
): Promise<TestCatalog> {
  const config = loadConfig(catalogConfig, { ...servers.settings, ...settings });
  const service = await createService(AppModule.configure(config), {
    name: 'connection-catalog',
    config,
    api: apiDescription,
  });
  await service.listen(0, '127.0.0.1');
  const { port } = service.getHttpServer().address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    service,
    send: sender(url, servers.issuer),
    [Symbol.asyncDispose]: () => service.close(),
  };
}

function sender(url: string, issuer: TestTokenIssuer): TestCatalog['send'] {
  return async (method, path, { as = { tenant: 'acme' }, body, headers } = {}) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(as && { authorization: `Bearer ${await tokenOf(issuer, as)}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const parsed = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
    return { status: response.status, headers: response.headers, body: parsed };
  };
}

function tokenOf(issuer: TestTokenIssuer, caller: TestCaller): Promise<string> {
  const { tenant, role, scopes = role && roleScopes[role], ...claims } = caller;
  const own = { ...claims, ...(role && { role }), ...(scopes && { scopes }) };
  return issuer.tokenFor(tenant, 'gateway', own);
}
