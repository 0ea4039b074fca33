import { Module } from '@nestjs/common';
import { CancelTurn } from './cancel-turn.ts';
import { DeleteSession } from './delete-session.ts';
import { ListSessions } from './list-sessions.ts';
import { ReadTimeline } from './read-timeline.ts';
import { SessionsController } from './sessions.controller.ts';

@Module({
  controllers: [SessionsController],
  providers: [CancelTurn, DeleteSession, ListSessions, ReadTimeline],
  exports: [CancelTurn],
})
export class SessionsApiModule {}
