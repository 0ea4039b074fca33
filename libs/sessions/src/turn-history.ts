import { Injectable } from '@nestjs/common';
import type { RowEvent } from '@soma/contracts';
import { TenantTransaction } from '@soma/persistence';
import type { SessionName } from './timeline.ts';

/** A stretch of a session, by the `seq` of its messages. Neither end is part of it. */
export interface Stretch {
  after: number;
  before: number;
}

/** Earlier turns than a claim brings along. */
@Injectable()
export class TurnHistory {
  constructor(private readonly transaction: TenantTransaction) {}

  /** The oldest messages of a stretch, each with its answer behind it where it has one. */
  async oldest(
    { tenantId, sessionId }: SessionName,
    { after, before }: Stretch,
    limit: number,
  ): Promise<RowEvent[]> {
    const turns = await this.transaction.run(tenantId, (manager) =>
      manager.query<{ message: RowEvent; answer: RowEvent | null }[]>(OLDEST, [
        ...[tenantId, sessionId, after, before, limit],
      ]),
    );
    return turns.flatMap(({ message, answer }) =>
      answer === null ? [message] : [message, answer],
    );
  }
}

const OLDEST = `
  SELECT message.envelope AS message, answer.envelope AS answer
    FROM (SELECT turn.seq, turn.turn_id, turn.started_seq, event.envelope
            FROM conversation.session_events AS event
            JOIN conversation.turns AS turn USING (tenant_id, session_id, seq)
           WHERE tenant_id = $1 AND session_id = $2 AND seq > $3 AND seq < $4
             AND event.envelope IS NOT NULL
           ORDER BY seq LIMIT $5) AS message
    LEFT JOIN LATERAL (
      SELECT envelope FROM conversation.session_events AS row
       WHERE row.tenant_id = $1 AND row.session_id = $2 AND row.seq > message.started_seq
         AND row.turn_id = message.turn_id AND row.type LIKE 'assistant.%'
         AND row.type <> 'assistant.started'
       ORDER BY row.seq LIMIT 1) AS answer
      ON answer.envelope ->> 'type' = 'assistant.final'
   ORDER BY message.seq`;
