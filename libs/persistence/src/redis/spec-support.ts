import { loadConfig } from '@soma/kernel';
import { createTestRedis, startTcpProxy, type TcpProxy } from '@soma/testing';
import { z } from 'zod';
import { RedisConnection } from './redis-connection.ts';
import { redisSettings } from './redis-settings.ts';

/** Redis for one test file, and a way to it that can be cut. */
export interface TestRedis {
  proxy: TcpProxy;
  /** One pod's connection: straight, or by another port such as the proxy's. */
  connect: (port?: number) => Promise<RedisConnection>;
}

/** Whatever is started is left on the stack, which the test disposes of. */
export async function startTestRedis(running: AsyncDisposableStack): Promise<TestRedis> {
  const { url } = await createTestRedis();
  const proxy = running.use(await startTcpProxy(Number(new URL(url).port)));
  const connect = async (port?: number): Promise<RedisConnection> => {
    const way = new URL(url);
    way.port = String(port ?? way.port);
    const config = loadConfig(z.object(redisSettings), { REDIS_URL: way.href });
    const connection = new RedisConnection(config);
    running.defer(() => {
      connection.onApplicationShutdown();
    });
    await connection.onModuleInit();
    return connection;
  };
  return { proxy, connect };
}
