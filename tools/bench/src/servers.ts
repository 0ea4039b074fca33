import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  type KafkaServer,
  type PostgresServer,
  startKafka,
  startPostgres,
  startRedis,
  startTokenIssuer,
  type TestTokenIssuer,
} from '@soma/testing';
import { workspace } from './paths.ts';

/** The servers of one benchmark, and nobody else's. Disposing of them deletes their data. */
export interface Servers extends AsyncDisposable {
  postgres: PostgresServer;
  kafka: KafkaServer;
  redisUrl: string;
  issuer: TestTokenIssuer;
  /** Of the tenant that all load comes from. */
  token: string;
}

/** The tenant that all load comes from. */
export const TENANT = 'bench';

/** Starts the servers as durable as in production, with schema and topics. */
export async function startServers(): Promise<Servers> {
  const running = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'soma-bench-'));
  running.defer(() => rm(directory, { recursive: true, force: true }));
  // PostgreSQL runs under another account when we are root.
  await chmod(directory, 0o755);

  // Named, a directory is written to the disk at each commit; unnamed, it would not be.
  const postgres = running.use(await startPostgres({ directory: join(directory, 'postgres') }));
  const kafka = running.use(await startKafka());
  const redis = running.use(await startRedis());
  const issuer = running.use(await startTokenIssuer());
  await provision(postgres.ownerUrl, kafka.brokers);
  return {
    postgres,
    kafka,
    redisUrl: redis.url,
    issuer,
    token: await issuer.tokenFor(TENANT, 'gateway', { expiresIn: '1 hour' }),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function provision(databaseUrl: string, brokers: string): Promise<void> {
  await promisify(execFile)(process.execPath, ['tools/provision/src/main.ts'], {
    cwd: workspace,
    env: {
      ...process.env,
      NODE_ENV: 'development',
      DATABASE_URL: databaseUrl,
      KAFKA_BROKERS: brokers,
    },
  });
}
