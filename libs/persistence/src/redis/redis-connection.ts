import { Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { withinLimit } from '@soma/kernel';
import { type ChainableCommander, Redis } from 'ioredis';
import type { RedisConfig } from './redis-settings.ts';

/** A Redis that does not answer is given up on so soon: nothing depends on it. */
const LIMIT_MS = 1_000;
const MAX_RECONNECT_MS = 2_000;

/** The way to Redis. It connects in the background, again and again, and refuses work meanwhile. */
export class RedisConnection implements OnApplicationShutdown, OnModuleInit {
  private readonly logger = new Logger(RedisConnection.name);
  /** For libraries that bring commands of their own. */
  readonly client: Redis;
  private isDown = false;

  constructor(config: RedisConfig) {
    const { REDIS_PASSWORD: password, REDIS_TLS_ENABLED: isEncrypted } = config;
    this.client = new Redis(config.REDIS_URL.reveal(), {
      ...(password && { password: password.reveal() }),
      ...(isEncrypted && { tls: {} }),
      // A service that cannot be made shuts nothing down: until it is made there is no connection.
      lazyConnect: true,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      commandTimeout: LIMIT_MS,
      connectTimeout: LIMIT_MS,
      retryStrategy: (tries) => Math.min(MAX_RECONNECT_MS, 100 * tries),
    });
    this.client.on('ready', () => {
      this.isDown = false;
    });
    this.client.on('error', (error) => {
      this.noteFault(error);
    });
  }

  /**
   * Waits a moment, so that the first requests find it, and no longer: a Redis that loads its data
   * takes minutes. What goes wrong is told by the event, and tried again.
   */
  async onModuleInit(): Promise<void> {
    await withinLimit(LIMIT_MS, () => this.client.connect()).catch(() => undefined);
  }

  /** @throws What the driver says when Redis does not answer. */
  async check(): Promise<void> {
    await this.client.ping();
  }

  /** Commands that go out together. */
  pipeline(): ChainableCommander {
    return this.client.pipeline();
  }

  onApplicationShutdown(): void {
    this.client.disconnect();
  }

  /** An error comes with every try to connect. One line is enough. */
  private noteFault(error: Error): void {
    if (!this.isDown) {
      this.logger.warn(error, 'Redis does not answer; going on without it.');
    }
    this.isDown = true;
  }
}
