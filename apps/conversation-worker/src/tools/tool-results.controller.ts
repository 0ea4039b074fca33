import { Controller } from '@nestjs/common';
import { type ToolResult, toolResults } from '@soma/contracts';
import { OnTopicBatch, type TopicBatch } from '@soma/messaging';
import { counter } from '@soma/observability';
import { ToolResults } from '@soma/sessions';
import { TurnScheduler } from '../turns/turn-scheduler.ts';

const received = counter({
  name: 'soma_tool_results_total',
  help: 'Results of calls, by whether a turn still waited for them',
  labelNames: ['outcome'],
});

/** Hears of results: it writes rows, and has the turns that wait for nothing more gone on with. */
@Controller()
export class ToolResultsController {
  constructor(
    private readonly results: ToolResults,
    private readonly scheduler: TurnScheduler,
  ) {}

  @OnTopicBatch(toolResults, { group: 'conversation-worker' })
  async store(batch: TopicBatch<ToolResult>): Promise<void> {
    const { count, ready } = await this.results.store(
      batch.map(
        ({ value: { tenant_id, session_id, call_id, attempt, status, output, usage } }) => ({
          tenantId: tenant_id,
          sessionId: session_id,
          callId: call_id,
          attempt,
          outcome: { status, output, ...(usage && { usage }) },
        }),
      ),
    );
    received.inc({ outcome: 'stored' }, count);
    received.inc({ outcome: 'ignored' }, batch.length - count);
    this.scheduler.wake(ready);
  }
}
