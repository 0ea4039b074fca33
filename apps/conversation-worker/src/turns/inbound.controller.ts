import { Controller } from '@nestjs/common';
import { conversationInbound, type RowEvent } from '@soma/contracts';
import { OnTopicBatch, type TopicBatch } from '@soma/messaging';
import { TurnScheduler } from './turn-scheduler.ts';

/** Hears of messages. A record says no more than that its session may have a turn to take. */
@Controller()
export class InboundController {
  constructor(private readonly scheduler: TurnScheduler) {}

  @OnTopicBatch(conversationInbound, { group: 'conversation-worker' })
  wake(batch: TopicBatch<RowEvent>): Promise<void> {
    const sessions = batch.map(({ value }) => ({
      tenantId: value.tenant_id,
      sessionId: value.session_id,
    }));
    this.scheduler.wake(sessions);
    return Promise.resolve();
  }
}
