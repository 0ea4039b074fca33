import { Controller } from '@nestjs/common';
import { conversationInbound, type RowEvent } from '@soma/contracts';
import { OnTopicBatch, replayedLetter, type TopicBatch } from '@soma/messaging';
import { ReplayTurn } from './replay-turn.ts';
import { TurnScheduler } from './turn-scheduler.ts';

/** Hears of messages. A record says no more than that its session may have a turn to take. */
@Controller()
export class InboundController {
  constructor(
    private readonly scheduler: TurnScheduler,
    private readonly replayTurn: ReplayTurn,
  ) {}

  @OnTopicBatch(conversationInbound, { group: 'conversation-worker' })
  async wake(batch: TopicBatch<RowEvent>): Promise<void> {
    this.scheduler.wake(
      batch.map(({ value }) => ({ tenantId: value.tenant_id, sessionId: value.session_id })),
    );
    for (const { value, headers } of batch) {
      const letterId = replayedLetter(headers);
      if (letterId !== undefined) await this.replayTurn.execute(value, letterId);
    }
  }
}
