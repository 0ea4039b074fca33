import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { isAbortError, sleep } from '@soma/kernel';
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
  private readonly stop = new AbortController();
  private sweeping: Promise<void> = Promise.resolve();

  constructor(
    private readonly results: ToolResults,
    private readonly scheduler: TurnScheduler,
  ) {}

  onApplicationBootstrap(): void {
    this.sweeping = this.sweepUntilStopped();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stop.abort();
    await this.sweeping;
  }

  private async sweepUntilStopped(): Promise<void> {
    while (!this.stop.signal.aborted) {
      await this.sweep().catch((error: unknown) => {
        this.logger.warn({ error, message: 'A sweep for overdue calls failed.' });
      });
      await sleep(SWEEP_MS, this.stop.signal).catch((error: unknown) => {
        if (!isAbortError(error)) throw error;
      });
    }
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
