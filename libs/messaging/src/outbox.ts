import type { OutgoingRecord } from './outgoing-record.ts';

/** A row whose transaction has committed, and what Kafka is to have of it. */
export interface PublishableRow {
  /** Names the row to its {@link Outbox}; nobody else reads it. */
  id: string;
  records: OutgoingRecord[];
}

/** How far Kafka is behind the database. */
export interface Backlog {
  /** Rows that Kafka does not have, counted up to a limit. */
  count: number;
  /** 0 without any. */
  oldestAgeSeconds: number;
}

/** The rows that Kafka does not have yet. The database implements it. */
export interface Outbox {
  /**
   * Locks unpublished rows that nobody else has locked, has them published, and marks them, in one
   * transaction. When `publish` fails, so does it, and the rows stay as they were.
   *
   * @param limit - How many rows at most.
   * @param minAgeMs - Younger rows are left to the process that wrote them.
   * @returns How many rows there were.
   */
  takeUnpublished: (
    limit: number,
    minAgeMs: number,
    publish: (rows: PublishableRow[]) => Promise<void>,
  ) => Promise<number>;
  /** Marks rows that Kafka has. One that is marked already, or gone, is no fault. */
  markPublished: (ids: string[]) => Promise<void>;
  /** @param limit - Where counting may stop. */
  backlog: (limit: number) => Promise<Backlog>;
}
