import { Injectable } from '@nestjs/common';
import { ConnectionReader } from './connection-reader.ts';
import { HealthRecorder } from './health-recorder.ts';
import type { CheckedRow } from './health.repository.ts';
import { ProbeFailure } from './probe.ts';
import { type CheckOutcome, ProbeConnection } from './probe-connection.ts';
import { RunningChecks } from './running-checks.ts';

/** A host that does not answer holds a place for ten seconds; there are enough for many of them. */
const PLACES = 200;

/** Looks at one connection, and writes down how it is. */
@Injectable()
export class CheckHealth {
  private readonly running = new RunningChecks(PLACES);

  constructor(
    private readonly reader: ConnectionReader,
    private readonly probe: ProbeConnection,
    private readonly recorder: HealthRecorder,
  ) {}

  /** How many more checks can be made now. */
  get free(): number {
    return this.running.free;
  }

  /**
   * @param ending - Aborts when nobody waits for the outcome any more; then nothing is written.
   * @throws {@link Problem} 503 `health_checks_busy`
   */
  execute(row: CheckedRow, ending?: AbortSignal): Promise<void> {
    // What was changed meanwhile is another connection: it wants a check of its own.
    const key = JSON.stringify([row.tenant_id, row.connection_id, row.version]);
    return this.running.run(key, async () => {
      await this.recorder.record(row, await this.check(row, ending));
    });
  }

  private async check(row: CheckedRow, ending?: AbortSignal): Promise<CheckOutcome | undefined> {
    try {
      const target = await this.reader.target(row);
      return target && (await this.probe.execute(target, ending));
    } catch (error) {
      if (!(error instanceof ProbeFailure)) {
        throw error;
      }
      return { reason: error.reason, latencyMs: 0 };
    }
  }
}
