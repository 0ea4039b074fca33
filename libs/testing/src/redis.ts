import { join } from 'node:path';
import { Redis } from 'ioredis';
import { downloadServers } from './downloads.ts';
import { housingOf, type ServerHandle, ServerProcess, startServer } from './server-process.ts';

export interface RedisOptions {
  /** Keeps the data here. Without it the data is thrown away. */
  directory?: string;
  /** Default: one that is free. */
  port?: number;
}

/** A real Redis server. Disposing of it ends it, and deletes data that is not kept. */
export interface RedisServer extends ServerHandle {
  url: string;
}

/** Starts Redis 7. It offers many logical databases, so that each test file has one for itself. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const housing = await housingOf('redis', options);
  const { directory, port } = housing;
  const url = `redis://127.0.0.1:${port}`;
  const { redisServer } = await downloadServers();
  const server = new ServerProcess({
    name: 'Redis',
    command: redisServer,
    args: [
      ...['--bind', '127.0.0.1', '--port', String(port), '--dir', directory],
      ...[
        '--databases',
        String(REDIS_DATABASES),
        '--appendonly',
        housing.keep ? 'yes' : 'no',
        '--save',
        '',
      ],
    ],
    logFile: join(directory, 'server.log'),
    stopSignal: 'SIGTERM',
    probe: () => onRedis(url, (redis) => redis.ping()),
  });
  const handle = await startServer(server, housing);
  return Object.assign(handle, { url });
}

/** How many logical databases a server of ours has. */
export const REDIS_DATABASES = 1024;

/** Does one thing on a connection of its own. */
export async function onRedis<Result>(
  url: string,
  act: (redis: Redis) => Promise<Result>,
): Promise<Result> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 30_000,
    retryStrategy: () => null,
  });
  // Without a listener ioredis prints each failed attempt.
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return await act(redis);
  } finally {
    redis.disconnect();
  }
}
