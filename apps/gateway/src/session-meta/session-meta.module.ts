import { Module } from '@nestjs/common';
import { RedisConnection } from './redis-connection.ts';
import { SessionMeta } from './session-meta.ts';

@Module({
  providers: [RedisConnection, SessionMeta],
  exports: [SessionMeta],
})
export class SessionMetaModule {}
