import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  type DatabaseAccess,
  databaseAccess,
  requireJava,
  type ServerHandle,
  startKafka,
  startPostgres,
  startRedis,
} from '@soma/testing';
import { stateDirectory, workspace } from './paths.ts';
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

  /** Without Java there is no embedded Kafka; where a container engine runs, it serves instead. */
  async prepare(): Promise<void> {
    if (this.#given.kafkaBrokers && this.#given.redisUrl) return;
    try {
      await requireJava();
    } catch (error) {
      if (!(await dockerRuns())) throw error;
      await promisify(execFile)('docker', [...COMPOSE, 'up', '--detach', '--wait']);
      Object.assign(this.#given, { ...COMPOSE_URLS, ...this.#given });
    }
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

const COMPOSE = ['compose', '--file', join(workspace, 'infra/compose/compose.yaml')];

/** As `infra/compose/compose.yaml` publishes them. */
const COMPOSE_URLS: ServerUrls = {
  databaseUrl: 'postgresql://postgres:development@127.0.0.1:5432/soma',
  redisUrl: 'redis://127.0.0.1:6379',
  kafkaBrokers: '127.0.0.1:9092',
};

function dockerRuns(): Promise<boolean> {
  return promisify(execFile)('docker', ['info']).then(
    () => true,
    () => false,
  );
}
