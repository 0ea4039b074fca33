import { type DynamicModule, Module } from '@nestjs/common';
import { RateLimits } from './rate-limits.ts';
import { RedisConnection } from './redis-connection.ts';
import type { RedisConfig } from './redis-settings.ts';

/** Gives a service Redis, and the counting of requests over all pods. */
@Module({})
export class RedisModule {
  static connect(config: RedisConfig): DynamicModule {
    return {
      module: RedisModule,
      global: true,
      providers: [
        { provide: RedisConnection, useFactory: () => new RedisConnection(config) },
        {
          provide: RateLimits,
          useFactory: (redis: RedisConnection) => new RateLimits(redis),
          inject: [RedisConnection],
        },
      ],
      exports: [RateLimits, RedisConnection],
    };
  }
}
