import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { RepeatedWork } from '@soma/kernel';
import { counter } from '@soma/observability';
import { type CallName, ToolResults } from '@soma/sessions';
import { TurnScheduler } from '../turns/turn-scheduler.ts';

const SWEEP_MS = 500;
const CALLS_PER_SWEEP = 200;

const timedOut = counter({
  name: 'soma_tool_calls_timed_out_total',
  help: 'Calls whose deadline passed before a result came',
});

/**
 * Ends every wait: a call past its deadline gets `timed_out` for its result, and its turn goes on.
 * Every worker looks, and whoever stores first wins, also against a result that comes at last.
 */
@Injectable()
export class CallDeadlines implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(CallDeadlines.name);
  private readonly sweeping = new RepeatedWork({
    everyMs: SWEEP_MS,
    maxPauseMs: SWEEP_MS,
    act: () => this.sweep(),
    onFailure: (error) => {
      this.logger.warn({ error, message: 'A sweep for overdue calls failed.' });
    },
  });

  constructor(
    private readonly results: ToolResults,
    private readonly scheduler: TurnScheduler,
  ) {}

  onApplicationBootstrap(): void {
    this.sweeping.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.sweeping.stop();
  }

  private async sweep(): Promise<void> {
    for (const call of await this.results.overdue(CALLS_PER_SWEEP)) {
      // Each alone: one that cannot be stored holds up no other.
      await this.timeOut(call).catch((error: unknown) => {
        this.logger.warn({
          error,
          call_id: call.callId,
          message: 'A call could not be timed out.',
        });
      });
    }
  }

  private async timeOut(call: CallName): Promise<void> {
    const output = { message: 'The tool did not answer in time. Whether it has run is not known.' };
    const { count, ready } = await this.results.store([
      { ...call, outcome: { status: 'timed_out', output } },
    ]);
    timedOut.inc(count);
    this.scheduler.wake(ready);
  }
}
