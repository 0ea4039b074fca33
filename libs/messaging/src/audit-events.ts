import { setInterval } from 'node:timers';
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import { type AuditEvent, auditEvents, type AuditReport } from '@soma/contracts';
import type { Logger } from '@soma/observability';
import type { AuditFallbackFile } from './audit-fallback-file.ts';
import { auditMetrics } from './messaging-metrics.ts';
import { newAuditEvent } from './new-audit-event.ts';
import type { OutgoingRecord } from './outgoing-record.ts';

/** What waits in memory for Kafka or the file. A flood beyond it is counted, not kept. */
const MAX_WAITING = 10_000;
/** How often what lies in the file is tried again, in milliseconds. */
const REPLAY_MS = 5_000;
/** How many lines of the file go together. */
const REPLAY_LINES = 500;

/** What {@link AuditEvents} works with. */
export interface AuditEventsOptions {
  producer: { sendAll: (records: readonly OutgoingRecord[]) => Promise<void> };
  /** Undefined: what Kafka does not take stands in the log alone. */
  file: AuditFallbackFile | undefined;
  logger: Logger;
}

/**
 * Tells the audit log, which identity keeps, of what happened in another service.
 *
 * Events go by the topic `audit.events`. While Kafka is away they are written to a file, which is
 * sent once Kafka is back, also by the next process; where there is no file to write to they stand
 * in the process's own log. One loop does all of it, so the file has one user. An event may be sent
 * twice, and the log takes it once.
 */
export class AuditEvents implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #options: AuditEventsOptions;
  readonly #timer: NodeJS.Timeout;
  #waiting: AuditEvent[] = [];
  #isReplayDue = true;
  #working: Promise<void> | undefined;

  constructor(options: AuditEventsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#replayLater();
    }, REPLAY_MS).unref();
  }

  /** Sends what an earlier process left behind. */
  onApplicationBootstrap(): void {
    this.#replayLater();
  }

  /** Returns at once and never fails. */
  record(report: AuditReport): void {
    if (this.#waiting.length >= MAX_WAITING) {
      auditMetrics.lost.inc();
      return;
    }
    this.#waiting.push(newAuditEvent(report));
    this.#work();
  }

  /** Before the producer closes: what waits is sent, or lies in the file. */
  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.#timer);
    this.#isReplayDue = false;
    await this.#working;
  }

  #replayLater(): void {
    this.#isReplayDue = this.#options.file !== undefined;
    this.#work();
  }

  #work(): void {
    this.#working ??= this.#workOff().finally(() => {
      this.#working = undefined;
    });
  }

  async #workOff(): Promise<void> {
    // Those of this same moment go together.
    await Promise.resolve();
    while (this.#waiting.length > 0 || this.#isReplayDue) {
      const events = this.#waiting.splice(0);
      await this.#deliver(events);
      if (this.#isReplayDue) {
        this.#isReplayDue = false;
        await this.#replay();
      }
    }
  }

  async #deliver(events: readonly AuditEvent[]): Promise<void> {
    try {
      await this.#send(events);
    } catch (error) {
      await this.#keep(events, error);
    }
  }

  async #keep(events: readonly AuditEvent[], fault: unknown): Promise<void> {
    const { file, logger } = this.#options;
    try {
      if (file === undefined) throw fault;
      await file.append(events.map((event) => JSON.stringify(event)));
      auditMetrics.inFile.inc(events.length);
    } catch (error) {
      // The last place where it is written down.
      for (const event of events) {
        logger.error(
          { error, audit_event: event },
          'An audit event has only this line of the log.',
        );
      }
    }
  }

  /** A file that cannot be read or sent is tried again at the next turn. */
  async #replay(): Promise<void> {
    const { file, logger } = this.#options;
    try {
      await file?.drain(REPLAY_LINES, (lines) =>
        this.#send(lines.flatMap((line) => this.#parse(line))),
      );
    } catch (error) {
      logger.warn({ error }, 'Audit events in the fallback file wait for Kafka.');
    }
  }

  #send(events: readonly AuditEvent[]): Promise<void> {
    return this.#options.producer.sendAll(
      events.map((event) => ({
        topic: auditEvents.name,
        key: auditEvents.key(event),
        value: JSON.stringify(event),
      })),
    );
  }

  /** A process that was killed while it wrote leaves half a line. */
  #parse(line: string): AuditEvent[] {
    try {
      return [auditEvents.schema.parse(JSON.parse(line))];
    } catch (error) {
      this.#options.logger.error({ error, line }, 'A line of the fallback file is no audit event.');
      return [];
    }
  }
}
