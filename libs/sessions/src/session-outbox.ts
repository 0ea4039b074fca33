import { Injectable } from '@nestjs/common';
import { SweepTransaction } from '@soma/persistence';
import { type OutboxRow, toOutboxRow, type WrittenRow } from './timeline-row.ts';

/** The rows of the timeline that Kafka does not have yet. */
@Injectable()
export class SessionOutbox {
  constructor(private readonly sweep: SweepTransaction) {}

  /**
   * Publishes rows that were left behind and marks them, in one transaction. Rows that another
   * process publishes at this moment are passed over.
   *
   * @param minAgeMs - Younger rows are left to the process that wrote them.
   * @returns How many rows there were.
   */
  takeUnpublished(
    limit: number,
    minAgeMs: number,
    publish: (rows: OutboxRow[]) => Promise<void>,
  ): Promise<number> {
    return this.sweep.run(async (manager) => {
      // A set and not a high-water mark: commits do not become visible in the order of time.
      const rows = await manager.query<WrittenRow[]>(
        `SELECT tenant_id AS "tenantId", session_id AS "sessionId", seq, type,
                envelope::text AS envelope
           FROM conversation.session_events
          WHERE published_at IS NULL
            AND occurred_at <= statement_timestamp() - make_interval(secs => $2 / 1000.0)
          ORDER BY occurred_at
          LIMIT $1
            FOR UPDATE SKIP LOCKED`,
        [limit, minAgeMs],
      );
      if (rows.length > 0) {
        await publish(rows.map((row) => toOutboxRow(row)));
        await manager.query(MARK, columnsOf(rows));
      }
      return rows.length;
    });
  }

  /** Remembers that Kafka has these rows. */
  async markPublished(ids: string[]): Promise<void> {
    const rows = ids.map(parseRowId);
    await this.sweep.run((manager) => manager.query(MARK, columnsOf(rows)));
  }

  /** How much waits, counted up to a limit, and for how long. */
  async backlog(limit: number): Promise<{ count: number; oldestAgeSeconds: number }> {
    const [backlog] = await this.sweep.run((manager) =>
      manager.query<{ count: number; oldestAgeSeconds: number }[]>(
        `SELECT count(*)::int AS count,
                coalesce(extract(epoch FROM clock_timestamp() - min(occurred_at)), 0)::float8
                  AS "oldestAgeSeconds"
           FROM (SELECT occurred_at FROM conversation.session_events
                  WHERE published_at IS NULL LIMIT $1) AS unpublished`,
        [limit],
      ),
    );
    return backlog ?? { count: 0, oldestAgeSeconds: 0 };
  }
}

// now() and not clock_timestamp(): the policy lets a transaction see the rows it has marked by it.
// Rows that are marked already are left out by the policy too. A condition `published_at IS NULL`
// here or there would make the planner read all of a backlog, by its index, for each batch of marks.
const MARK = `
  UPDATE conversation.session_events AS event
     SET published_at = now()
    FROM unnest($1::text[], $2::text[], $3::int[]) AS row (tenant_id, session_id, seq)
   WHERE (event.tenant_id, event.session_id, event.seq)
       = (row.tenant_id, row.session_id, row.seq)`;

type RowId = Pick<WrittenRow, 'tenantId' | 'sessionId' | 'seq'>;

function parseRowId(id: string): RowId {
  const [tenantId = '', sessionId = '', seq = ''] = id.split('/');
  return { tenantId, sessionId, seq: Number(seq) };
}

function columnsOf(rows: RowId[]): [string[], string[], number[]] {
  return [
    rows.map(({ tenantId }) => tenantId),
    rows.map(({ sessionId }) => sessionId),
    rows.map(({ seq }) => seq),
  ];
}
