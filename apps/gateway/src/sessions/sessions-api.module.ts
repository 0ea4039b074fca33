import { Module } from '@nestjs/common';
import { CancelTurn } from './cancel-turn.ts';
import { ReadTimeline } from './read-timeline.ts';
import { SessionsController } from './sessions.controller.ts';

@Module({
  controllers: [SessionsController],
  providers: [CancelTurn, ReadTimeline],
  exports: [CancelTurn],
})
export class SessionsApiModule {}
