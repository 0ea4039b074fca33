import { Module } from '@nestjs/common';
import { SessionMetaModule } from '../session-meta/session-meta.module.ts';
import { AcceptAction } from './accept-action.ts';
import { AcceptMessage } from './accept-message.ts';
import { MessagesController } from './messages.controller.ts';
import { OutboxGate } from './outbox-gate.ts';
import { TurnIntake } from './turn-intake.ts';

@Module({
  imports: [SessionMetaModule],
  controllers: [MessagesController],
  providers: [AcceptAction, AcceptMessage, OutboxGate, TurnIntake],
  exports: [AcceptAction, AcceptMessage],
})
export class MessagesModule {}
