import type { OutboxRow } from './timeline-row.ts';

/** Hears of rows as soon as they are committed. The app binds it to its relay. */
export abstract class RowAnnouncer {
  /** Must neither wait nor throw: what is not announced is found in the outbox. */
  abstract publish(rows: OutboxRow[]): void;
}
