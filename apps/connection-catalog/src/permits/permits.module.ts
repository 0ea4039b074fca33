import { Module } from '@nestjs/common';
import { Permits, RedisConnection } from '@soma/persistence';
import { ConnectionPermits } from './connection-permits.ts';
import { PermitsController } from './permits.controller.ts';

/** How much connections may be used. */
@Module({
  controllers: [PermitsController],
  providers: [
    ConnectionPermits,
    {
      provide: Permits,
      inject: [RedisConnection],
      useFactory: (redis: RedisConnection) => new Permits(redis),
    },
  ],
  exports: [Permits],
})
export class PermitsModule {}
