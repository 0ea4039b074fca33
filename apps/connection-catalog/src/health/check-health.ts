import { Injectable } from '@nestjs/common';
import { ConnectionReader } from './connection-reader.ts';
import { HealthRecorder } from './health-recorder.ts';
import type { CheckedRow, DueConnection } from './health.repository.ts';
import { ProbeFailure } from './probe.ts';
import { type CheckOutcome, ProbeConnection } from './probe-connection.ts';

/** Looks at one connection, and writes down how it is. */
@Injectable()
export class CheckHealth {
  constructor(
    private readonly reader: ConnectionReader,
    private readonly probe: ProbeConnection,
    private readonly recorder: HealthRecorder,
  ) {}

  /** @param ending - Aborts when nobody waits for the outcome any more; then nothing is written. */
  async execute(due: DueConnection, ending?: AbortSignal): Promise<void> {
    const row = await this.reader.row(due);
    if (row !== undefined) {
      await this.recorder.record(row, await this.check(row, ending));
    }
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
