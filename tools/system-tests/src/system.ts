import { execFile } from 'node:child_process';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import {
  createTestDatabase,
  createTestKafka,
  createTestRedis,
  freePort,
  installedTool,
  ServerProcess,
  startAccessServers,
  startModelServer,
  startTokenIssuer,
  type TestModelServer,
  type TestTokenIssuer,
  type TokenClaims,
} from '@soma/testing';

const WORKSPACE = resolve(import.meta.dirname, '../../..');
const LEASE_MS = 3_000;

/** One process of a service, as an operator sees it: it can be killed, frozen and started again. */
export interface Pod {
  name: string;
  url: string;
  /** Changes with every start. */
  readonly pid: number;
  /** What its `--print-config` prints. */
  printConfig: () => Promise<string>;
  start: () => Promise<void>;
  /** SIGTERM. */
  stop: () => Promise<void>;
  kill: () => Promise<void>;
  freeze: () => void;
  thaw: () => void;
}

/** What a system lives on instead of the servers that all tests share. */
interface OwnServers {
  postgres: { ownerUrl: string; loginUrl: (role: string) => Promise<string> };
  brokers: string;
}

/** How large a system is, and in which servers it lives where not in the shared ones. */
export interface SystemOptions {
  gateways?: number;
  workers?: number;
  environment?: Record<string, string>;
  servers?: OwnServers;
  /** What workers run in place of their own program. */
  workerProgram?: string;
  /** Has a pod of identity issue the tokens, at this port and with these settings. */
  identity?: {
    port: number;
    settings: Record<string, string>;
    /** What it runs in place of its own program. */
    program?: string;
  };
  /** Has a pod of the connection catalog, with these settings. */
  catalog?: { settings: Record<string, string> };
}

/** Gateways and workers as processes of their own, on real servers, with a scripted model. */
export interface System {
  gateways: Pod[];
  workers: Pod[];
  /** Where the options name it. */
  identity: Pod | undefined;
  /** Where the options name it. */
  catalog: Pod | undefined;
  models: TestModelServer;
  /** A query as the owner, who sees all tenants. */
  query: <Row>(sql: string, values?: unknown[]) => Promise<Row[]>;
  /** That of every role here. */
  databasePassword: string;
  kafka: { brokers: string; topicPrefix: string };
  redisUrl: string;
  /** The folder of the pods' log files. */
  logs: string;
  /** Starts another pod beside those that run. */
  addGateway: () => Promise<Pod>;
  /** A token of `acme` unless another tenant is named. */
  tokenFor: (tenant?: string, claims?: TokenClaims) => Promise<string>;
  leaseMs: number;
}

/** Everything that is started is left on the stack, which the test disposes of. */
export async function startSystem(
  running: AsyncDisposableStack,
  options: SystemOptions = {},
): Promise<System> {
  const { servers } = options;
  const database = servers?.postgres ?? running.use(await createTestDatabase());
  const kafka = servers
    ? { brokers: servers.brokers, topicPrefix: '' }
    : running.use(createTestKafka());
  const redisUrl = (await createTestRedis()).url;
  const issuer = running.use(await startTokenIssuer());
  const models = running.use(await startModelServer());
  const environment: Record<string, string> = {
    ...environmentOf(issuer, models),
    ...(options.identity && identityEnvironment(options.identity.port)),
    ...(await accessEnvironment(running)),
    KAFKA_BROKERS: kafka.brokers,
    KAFKA_TOPIC_PREFIX: kafka.topicPrefix,
    REDIS_URL: redisUrl,
    ...options.environment,
  };
  await promisify(execFile)(process.execPath, [join(WORKSPACE, 'tools/provision/src/main.ts')], {
    env: { ...process.env, ...environment, NODE_OPTIONS: '', DATABASE_URL: database.ownerUrl },
  });
  const logs = await mkdtemp(join(tmpdir(), 'soma-system-'));
  // Not those of Jest.
  environment['NODE_OPTIONS'] = '';
  const start = async (app: 'gateway' | 'conversation-worker', number: number): Promise<Pod> => {
    const databaseUrl = await database.loginUrl(app.replace('-', '_'));
    const env = { ...environment, DATABASE_URL: databaseUrl };
    const own = join(WORKSPACE, 'apps', app, 'dist/main.js');
    const main = app === 'gateway' ? own : (options.workerProgram ?? own);
    return startPod(running, { main, name: `${app}-${number}`, env, logs });
  };
  const startIdentity = async ({ port, settings, program }: IdentityPod): Promise<Pod> => {
    const env = { ...environment, ...settings, DATABASE_URL: await database.loginUrl('identity') };
    const main = program ?? join(WORKSPACE, 'apps/identity/dist/main.js');
    return startPod(running, { main, name: 'identity-1', env, logs, port });
  };
  /** The others are told where it is. */
  const startCatalog = async ({ settings }: CatalogPod): Promise<Pod> => {
    const databaseUrl = await database.loginUrl('connection_catalog');
    const env = { ...environment, ...settings, DATABASE_URL: databaseUrl };
    const main = join(WORKSPACE, 'apps/connection-catalog/dist/main.js');
    const pod = await startPod(running, { main, name: 'connection-catalog-1', env, logs });
    environment['CONNECTION_CATALOG_URL'] = pod.url;
    return pod;
  };
  const startAll = (app: 'gateway' | 'conversation-worker', count = 1): Promise<Pod[]> =>
    Promise.all(Array.from({ length: count }, (_, index) => start(app, index + 1)));
  const owner = new pg.Pool({ connectionString: database.ownerUrl, max: 2 });
  // A server that a test restarts cuts idle connections; the next query opens another.
  owner.on('error', () => undefined);
  running.defer(() => owner.end());
  const identity = options.identity && (await startIdentity(options.identity));
  const [catalog] = await Promise.all([options.catalog ?? []].flat().map(startCatalog));
  const [gateways, workers] = await Promise.all([
    startAll('gateway', options.gateways),
    startAll('conversation-worker', options.workers),
  ]);
  return {
    gateways,
    workers,
    identity,
    catalog,
    models,
    query: async <Row>(sql: string, values: unknown[] = []) =>
      (await owner.query(sql, values)).rows as Row[],
    databasePassword: new URL(database.ownerUrl).password,
    kafka,
    redisUrl,
    logs,
    addGateway: () => start('gateway', gateways.length + 1),
    tokenFor: (tenant = 'acme', claims = {}) =>
      issuer.tokenFor(tenant, 'gateway', { expiresIn: '1 hour', ...claims }),
    leaseMs: LEASE_MS,
  };
}

/** How the image starts Node; and a pod that is sent SIGUSR2 reports as if it crashed. */
async function nodeArguments(reports: string): Promise<string[]> {
  const image = await readFile(join(WORKSPACE, 'infra/docker/Dockerfile'), 'utf8');
  const entryPoint = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(image)?.[1] ?? '[]') as string[];
  if (entryPoint[0] !== 'node') throw new Error('The image does not start Node.');
  return [...entryPoint.slice(1, -1), '--report-on-signal', `--report-directory=${reports}`];
}

/** As in production, where there are the tools to build what decides on requests there. */
async function accessEnvironment(running: AsyncDisposableStack): Promise<Record<string, string>> {
  return installedTool('opa') !== undefined && installedTool('openfga') !== undefined
    ? (await startAccessServers(running)).settings
    : { NODE_ENV: 'development' };
}

function environmentOf(issuer: TestTokenIssuer, models: TestModelServer): Record<string, string> {
  return {
    NODE_ENV: 'production',
    OTEL_EXPORTER_OTLP_ENDPOINT: '',
    KAFKA_REPLICATION_FACTOR: '1',
    IDENTITY_ISSUER: issuer.url,
    GATEWAY_JWT_JWKS_URL: issuer.jwksUrl,
    SERVICE_TOKEN_URL: issuer.tokenUrl,
    OPENAI_API_KEY: 'key',
    OPENAI_BASE_URL: models.url,
    // The tests send as one service account, and more than one may.
    RATE_LIMIT_SERVICE_PER_MINUTE: '10000000',
    LEASE_MS: String(LEASE_MS),
    DRAIN_MS: '500',
  };
}

type CatalogPod = NonNullable<SystemOptions['catalog']>;

type IdentityPod = NonNullable<SystemOptions['identity']>;

function identityEnvironment(port: number): Record<string, string> {
  const url = `http://127.0.0.1:${port}`;
  return {
    IDENTITY_ISSUER: url,
    IDENTITY_URL: url,
    GATEWAY_JWT_JWKS_URL: `${url}/.well-known/jwks.json`,
  };
}

async function startPod(
  running: AsyncDisposableStack,
  pod: { main: string; name: string; env: Record<string, string>; logs: string; port?: number },
): Promise<Pod> {
  const port = pod.port ?? (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const { main } = pod;
  // The model's name tells the model server which worker called.
  const env = { ...pod.env, PORT: String(port), HOSTNAME: pod.name, OPENAI_MODEL: pod.name };
  const server = new ServerProcess({
    name: pod.name,
    command: process.execPath,
    args: [...(await nodeArguments(pod.logs)), main],
    env,
    logFile: join(pod.logs, `${pod.name}.log`),
    stopSignal: 'SIGTERM',
    probe: async () => {
      const response = await fetch(`${url}/v1/health/ready`);
      if (!response.ok) throw new Error(`It answers ${response.status}.`);
    },
  });
  await server.start();
  running.defer(() => server.kill());
  return {
    name: pod.name,
    url,
    get pid() {
      return server.pid;
    },
    printConfig: async () =>
      (await promisify(execFile)(process.execPath, [main, '--print-config'], { env })).stdout,
    start: () => server.start(),
    stop: () => server.stop(),
    kill: () => server.kill(),
    freeze: () => {
      server.signalTree('SIGSTOP');
    },
    thaw: () => {
      server.signalTree('SIGCONT');
    },
  };
}
