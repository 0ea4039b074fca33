import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, describe, expect, it } from '@jest/globals';
import { loadConfig, withinLimit } from '@soma/kernel';
import { z } from 'zod';
import { RedisConnection } from './redis-connection.ts';
import { redisSettings } from './redis-settings.ts';

/** What Redis says of itself while it reads its data from the disk. */
const LOADING = '# Persistence\r\nloading:1\r\nloading_eta_seconds:300\r\n';

describe('RedisConnection', () => {
  const running = new AsyncDisposableStack();
  afterAll(() => running.disposeAsync());

  it('lets a service start while Redis loads its data', async () => {
    const server = createServer((socket) => {
      running.defer(() => void socket.destroy());
      // To each command, several of which may come at once.
      socket.on('data', (piece) => {
        const commands = piece.toString().match(/^\*\d/gm) ?? [];
        socket.write(`$${LOADING.length}\r\n${LOADING}\r\n`.repeat(commands.length));
      });
    }).listen(0, '127.0.0.1');
    running.defer(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const REDIS_URL = `redis://127.0.0.1:${port}`;
    const redis = new RedisConnection(loadConfig(z.object(redisSettings), { REDIS_URL }));
    running.defer(() => {
      redis.onApplicationShutdown();
    });

    await withinLimit(20_000, () => redis.onModuleInit());

    expect(redis.client.status).not.toBe('ready');
  });
});
