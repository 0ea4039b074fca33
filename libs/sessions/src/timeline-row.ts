import {
  conversationInbound,
  conversationOutbound,
  formatCursor,
  type RowEvent,
  type RowType,
  sessionKey,
  toolRequestOf,
  toolRequests,
} from '@soma/contracts';

/** A row of the timeline as readers want it: the event on the wire stays the text it was written as. */
export interface TimelineRow {
  seq: number;
  type: RowType;
  turnId: string | null;
  /** JSON text of a `RowEvent`. */
  envelope: string;
}

/** A row that has just been committed, or that still waits for Kafka. */
export interface WrittenRow {
  tenantId: string;
  sessionId: string;
  seq: number;
  type: RowType;
  envelope: string;
}

/** A row as the outbox hands it to the relay, with the records that it becomes. */
export interface OutboxRow {
  /** Names the row: `<tenant>/<session>/<seq>`. A slash is in none of them. */
  id: string;
  records: { topic: string; key: string; value: string; headers: Record<string, string> }[];
}

/** What a row says, before its place in the timeline is known. */
export type RowContent = Omit<RowEvent, 'schema' | 'cursor' | 'seq' | 'occurred_at'>;

const OUTBOUND_PREFIX = `{"schema":"${conversationOutbound.version}"`;
const INBOUND_PREFIX = `{"schema":"${conversationInbound.version}"`;

/** Serialises a row, once for everybody who will ever read it. */
export function writeEnvelope(content: RowContent, seq: number, occurredAt: Date): string {
  const event: RowEvent = {
    // First, because a record for the workers differs in nothing else; see recordsOf.
    schema: conversationOutbound.version,
    ...content,
    seq,
    cursor: formatCursor({ seq, offset: 0 }),
    occurred_at: occurredAt.toISOString(),
  };
  return JSON.stringify(event);
}

/**
 * What Kafka hears of a row: every stream of it, the workers of a message, and who runs tools of a
 * call.
 */
export function toOutboxRow(row: WrittenRow, headers: Record<string, string> = {}): OutboxRow {
  const { tenantId, sessionId, seq, type, envelope } = row;
  const key = sessionKey({ tenant_id: tenantId, session_id: sessionId });
  const records = [{ topic: conversationOutbound.name, key, value: envelope, headers }];
  if (type === 'user.message') {
    const value = INBOUND_PREFIX + envelope.slice(OUTBOUND_PREFIX.length);
    // The workers first: they have the longer way.
    records.unshift({ topic: conversationInbound.name, key, value, headers });
  }
  if (type === 'tool.start') {
    // Written by writeEnvelope.
    const request = toolRequestOf(JSON.parse(envelope) as RowEvent);
    const value = JSON.stringify(request);
    if (request !== null) records.unshift({ topic: toolRequests.name, key, value, headers });
  }
  return { id: `${tenantId}/${sessionId}/${seq}`, records };
}
