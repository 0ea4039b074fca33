import { Injectable } from '@nestjs/common';
import { AskedChecks } from './asked-checks.ts';
import { CheckLimit } from './check-limit.ts';
import { ConnectionReader } from './connection-reader.ts';
import { HealthRecorder } from './health-recorder.ts';
import type { CheckedRow } from './health.repository.ts';
import { ProbeFailure } from './probe.ts';
import { type CheckOutcome, ProbeConnection } from './probe-connection.ts';
import { RunningChecks } from './running-checks.ts';

/** Beside those of the prober, so that what people ask for and what it looks at never wait for each other. */
const ASKED = { all: 20, ofTenant: 5 };

/** Looks at one connection, and writes down how it is. */
@Injectable()
export class CheckHealth {
  private readonly running = new RunningChecks();
  private readonly asked = new AskedChecks(ASKED);

  constructor(
    private readonly reader: ConnectionReader,
    private readonly probe: ProbeConnection,
    private readonly recorder: HealthRecorder,
  ) {}

  /**
   * @param ending - Aborts when nobody waits for the outcome any more; then nothing is written.
   * @throws {@link Problem} 429 `connection_rate_limited`
   */
  execute(row: CheckedRow, ending?: AbortSignal): Promise<void> {
    return this.running.run(keyOf(row), () => this.look(row, ending));
  }

  /**
   * As {@link execute}, because somebody asks.
   *
   * @throws {@link Problem} 429 `connection_rate_limited`, 503 `health_checks_busy`
   */
  ask(row: CheckedRow): Promise<void> {
    return this.running.run(keyOf(row), () => this.asked.run(row.tenant_id, () => this.look(row)));
  }

  private async look(row: CheckedRow, ending?: AbortSignal): Promise<void> {
    await this.recorder.record(row, await this.check(row, ending));
  }

  private async check(row: CheckedRow, ending?: AbortSignal): Promise<CheckOutcome | undefined> {
    const limit = new CheckLimit(ending);
    try {
      const target = await limit.wait(this.reader.target(row), tokenLate);
      return target && (await this.probe.execute(target, limit));
    } catch (error) {
      if (!(error instanceof ProbeFailure)) {
        throw error;
      }
      return { reason: error.reason, latencyMs: 0 };
    }
  }
}

/** What else is read is here, or refused sooner. */
function tokenLate(): never {
  throw new ProbeFailure('credential_unavailable');
}

/** What was changed meanwhile is another connection: it wants a check of its own. */
function keyOf({ tenant_id, connection_id, version }: CheckedRow): string {
  return JSON.stringify([tenant_id, connection_id, version]);
}
