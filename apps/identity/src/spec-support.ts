import { hash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { INestApplication } from '@nestjs/common';
import { type MemberRole, roleScopes, topicCatalog, type ConfigUpdate } from '@soma/contracts';
import { createService } from '@soma/http';
import { loadConfig, newIdentifier, retryTransient, Secret } from '@soma/kernel';
import { createTopics, KafkaConnection, kafkaSettings, ConfigUpdatesReader } from '@soma/messaging';
import { migrate } from '@soma/migrations';
import { createLogger } from '@soma/observability';
import { createTestDatabase, createTestKafka, type TestDatabase, until } from '@soma/testing';
import { z } from 'zod';
import { AppModule } from './app.module.ts';
import { identityConfig } from './identity.config.ts';
import { KeyRing } from './signing-keys/key-ring.ts';

const ISSUER = 'http://localhost:8080';

/** The real servers of one test file, and what all pods of identity on them share. */
export interface IdentityServers {
  database: TestDatabase;
  kafka: { brokers: string; topicPrefix: string };
  /** The settings of a pod. */
  settings: Record<string, string>;
}

/** A pod of identity that listens. */
export interface TestIdentity {
  url: string;
  service: INestApplication;
  /** Sends a request with a body of JSON, and reads the answer. */
  send: (method: string, path: string, request?: TestRequest) => Promise<TestAnswer>;
  /** The access token of a person or a service, signed by the pod's key. */
  tokenOf: (caller: TestCaller) => Promise<string>;
}

/** Who sends a request: a person by id and role, or a service of a tenant by its scopes. */
export interface TestCaller {
  tenant: string;
  subject?: string;
  role?: MemberRole;
  scopes?: readonly string[];
  /** How a person has just signed in. Default: with two factors. */
  amr?: string[];
}

interface TestRequest {
  as?: TestCaller;
  body?: unknown;
  headers?: Record<string, string>;
}

export interface TestAnswer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

/** A client of the clients file, whose secret nobody knows. */
export interface TestClient {
  client_id: string;
  tenant_id: string;
  scopes: string[];
}

const CLIENT_SECRET = randomBytes(32).toString('base64url');

/** A migrated database, topics and settings, for one test file alone. */
export async function createIdentityServers(
  running: AsyncDisposableStack,
  clients: TestClient[] = [],
): Promise<IdentityServers> {
  const database = running.use(await createTestDatabase());
  const kafka = running.use(createTestKafka());
  const folder = await mkdtemp(join(tmpdir(), 'soma-identity-'));
  running.defer(() => rm(folder, { recursive: true }));
  const clientsFile = join(folder, 'clients.json');
  const client_secret_hash = hash('sha256', CLIENT_SECRET);
  const registered = clients.map((client) => ({
    ...client,
    client_secret_hash,
    audiences: ['gateway'],
  }));
  await writeFile(clientsFile, JSON.stringify(registered));
  await Promise.all([migrate(new Secret(database.ownerUrl)), makeTopics(kafka)]);
  const settings = {
    DATABASE_URL: await database.loginUrl('identity'),
    KAFKA_BROKERS: kafka.brokers,
    KAFKA_TOPIC_PREFIX: kafka.topicPrefix,
    IDENTITY_CLIENTS_FILE: clientsFile,
    SOMA_MASTER_KEY: randomBytes(32).toString('base64'),
  };
  return { database, kafka, settings };
}

/** Makes the topics of the catalog. */
export async function makeTopics(kafka: IdentityServers['kafka']): Promise<void> {
  // A broker that makes many topics at once may not know one of them yet.
  await retryTransient(() => createTopics(connectionTo(kafka), topicCatalog, 1), { attempts: 5 });
}

/** The way to the topics of a test. */
export function connectionTo({ brokers, topicPrefix }: IdentityServers['kafka']): KafkaConnection {
  const settings = { KAFKA_BROKERS: brokers, KAFKA_TOPIC_PREFIX: topicPrefix };
  const config = loadConfig(z.object(kafkaSettings), settings);
  const logger = createLogger({ service: 'identity-tests', level: 'silent' });
  return new KafkaConnection(config, { clientId: 'identity-tests', logger });
}

/** All that other processes are told of changes: what is told already, and what comes. */
export async function listenToUpdates(
  { kafka }: IdentityServers,
  running: AsyncDisposableStack,
): Promise<ConfigUpdate[]> {
  const heard: ConfigUpdate[] = [];
  const reader = new ConfigUpdatesReader(connectionTo(kafka));
  reader.listen((update) => heard.push(update));
  running.defer(() => reader.onApplicationShutdown());
  reader.onApplicationBootstrap();
  await until(() => reader.isCaughtUp);
  return heard;
}

/** Starts a pod on a free port, which stops when the test file ends. */
export async function startIdentity(
  servers: IdentityServers,
  running: AsyncDisposableStack,
): Promise<TestIdentity> {
  const config = loadConfig(identityConfig, servers.settings);
  const service = await createService(AppModule.configure(config), { config });
  running.defer(() => service.close());
  await service.listen(0, '127.0.0.1');
  const { port } = service.getHttpServer().address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const tokenOf = async (caller: TestCaller) => signToken(service, caller);
  return { url, service, tokenOf, send: sender(url, tokenOf) };
}

function sender(url: string, tokenOf: TestIdentity['tokenOf']): TestIdentity['send'] {
  return async (method, path, { as, body, headers } = {}) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(as && { authorization: `Bearer ${await tokenOf(as)}` }),
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

async function signToken(service: INestApplication, caller: TestCaller): Promise<string> {
  const { tenant, role, subject = randomUUID() } = caller;
  const scopes = caller.scopes ?? (role === undefined ? [] : roleScopes[role]);
  const { signing } = service.get(KeyRing, { strict: false }).now();
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: ISSUER, aud: 'gateway', sub: subject, tenant, scope: scopes.join(' ') };
  const { amr = ['fed', 'otp', 'mfa'] } = caller;
  const person = role && { role, amr, auth_time: now };
  const own = { ...person, iat: now, exp: now + 600, jti: newIdentifier() };
  const text = [
    { alg: 'ES256', kid: signing.kid, typ: 'at+jwt' },
    { ...claims, ...own },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const signature = await signing.sign(Buffer.from(text));
  return `${text}.${Buffer.from(signature).toString('base64url')}`;
}
