import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { downloadServers } from './downloads.ts';
import { freePort } from './free-port.ts';
import { controls, type ServerHandle, ServerProcess } from './server-process.ts';

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
  const keep = options.directory !== undefined;
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'soma-redis-')));
  await mkdir(directory, { recursive: true });
  const port = options.port ?? (await freePort());
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
        keep ? 'yes' : 'no',
        '--save',
        '',
      ],
    ],
    logFile: join(directory, 'server.log'),
    stopSignal: 'SIGTERM',
    probe: () => onRedis(url, (redis) => redis.ping()),
  });
  await server.start();
  return {
    ...controls(server),
    url,
    port,
    get pid() {
      return server.pid;
    },
    [Symbol.asyncDispose]: async () => {
      await (keep ? server.stop() : server.kill());
      if (!keep) await rm(directory, { recursive: true, force: true });
    },
  };
}

/** How many logical databases a server of ours has. */
export const REDIS_DATABASES = 1024;

/** Does one thing on a connection of its own. */
export async function onRedis<Result>(
  url: string,
  act: (redis: Redis) => Promise<Result>,
): Promise<Result> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  // Without a listener ioredis prints each failed attempt.
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return await act(redis);
  } finally {
    redis.disconnect();
  }
}
