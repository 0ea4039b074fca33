import { join } from 'node:path';
import {
  type DatabaseAccess,
  databaseAccess,
  requireJava,
  type ServerHandle,
  startKafka,
  startPostgres,
  startRedis,
} from '@soma/testing';
import {
  composed,
  type ComposedServer,
  engineRuns,
  startContainers,
  stopContainers,
} from './containers.ts';
import { stateDirectory } from './paths.ts';
import type { PortChooser } from './ports.ts';

/** Where the three servers are. */
export interface ServerUrls {
  databaseUrl: string;
  redisUrl: string;
  kafkaBrokers: string;
}

/** Starts what the environment does not name already. */
export class Servers {
  /** The servers that this stack started, by name. */
  readonly started = new Map<string, ServerHandle>();
  /** What the services are told besides. */
  readonly settings: Record<string, string> = {};
  readonly #given: Partial<ServerUrls>;
  #containers: ComposedServer[] = [];
  readonly #ports: PortChooser;
  readonly #urls: Partial<ServerUrls> = {};

  constructor(environment: NodeJS.ProcessEnv, ports: PortChooser) {
    this.#given = {
      ...(environment['DATABASE_URL'] && { databaseUrl: environment['DATABASE_URL'] }),
      ...(environment['REDIS_URL'] && { redisUrl: environment['REDIS_URL'] }),
      ...(environment['KAFKA_BROKERS'] && { kafkaBrokers: environment['KAFKA_BROKERS'] }),
    };
    this.#ports = ports;
  }

  get urls(): ServerUrls {
    const { databaseUrl, redisUrl, kafkaBrokers } = { ...this.#urls, ...this.#given };
    if (!databaseUrl || !redisUrl || !kafkaBrokers) throw new Error('The servers are not up yet.');
    return { databaseUrl, redisUrl, kafkaBrokers };
  }

  get database(): DatabaseAccess {
    return databaseAccess(this.urls.databaseUrl);
  }

  /** What this stack has started, and where: processes and containers. */
  get listed(): [string, { port: number; container?: string }][] {
    const containers = this.#containers.map((name) => [name, composed[name]] as const);
    const processes = [...this.started].map(([name, { port }]) => [name, { port }] as const);
    return [...containers, ...processes].map(([name, where]) => [name, where]);
  }

  /** Without Java there is no embedded Kafka; where a container engine runs, it serves instead. */
  async prepare(): Promise<void> {
    if (this.#given.kafkaBrokers && this.#given.redisUrl) return;
    try {
      await requireJava();
    } catch (error) {
      if (!(await engineRuns())) throw error;
      const needed = Object.entries(COMPOSED_URLS).filter(([, [url]]) => !this.#given[url]);
      // Before they are up: what was started halfway is stopped too.
      this.#containers = needed.map(([name]) => name as ComposedServer);
      await startContainers(this.#containers);
      Object.assign(this.#given, Object.fromEntries(needed.map(([, url]) => url)));
    }
  }

  /** Ends what this stack has started. */
  async stop(): Promise<void> {
    const processes = [...this.started.values()].map((server) => server.stop());
    if (this.#containers.length > 0) processes.push(stopContainers(this.#containers));
    await Promise.all(processes);
  }

  async startPostgres(password: string): Promise<void> {
    if (this.#given.databaseUrl) return;
    const server = await startPostgres({
      directory: join(stateDirectory, 'postgres'),
      port: await this.#ports.choose(5432, 1),
      password,
    });
    this.started.set('postgres', server);
    const [database] = await server.execute("SELECT FROM pg_database WHERE datname = 'soma'");
    if (!database) await server.execute('CREATE DATABASE soma');
    this.#urls.databaseUrl = server.ownerUrl.replace(/postgres$/, 'soma');
  }

  async startRedis(): Promise<void> {
    if (this.#given.redisUrl) return;
    const server = await startRedis({
      directory: join(stateDirectory, 'redis'),
      port: await this.#ports.choose(6379, 1),
    });
    this.started.set('redis', server);
    this.#urls.redisUrl = server.url;
  }

  async startKafka(): Promise<void> {
    if (this.#given.kafkaBrokers) return;
    const server = await startKafka({
      directory: join(stateDirectory, 'kafka'),
      port: await this.#ports.choose(9092, 1),
    });
    this.started.set('kafka', server);
    this.#urls.kafkaBrokers = server.brokers;
  }
}

/** As `infra/compose/compose.yaml` publishes them. */
const COMPOSED_URLS: Record<ComposedServer, [keyof ServerUrls, string]> = {
  postgres: ['databaseUrl', 'postgresql://postgres:development@127.0.0.1:5432/soma'],
  redis: ['redisUrl', 'redis://127.0.0.1:6379'],
  kafka: ['kafkaBrokers', '127.0.0.1:9092'],
};
