import { Module } from '@nestjs/common';
import { SessionMeta } from './session-meta.ts';

@Module({
  providers: [SessionMeta],
  exports: [SessionMeta],
})
export class SessionMetaModule {}
