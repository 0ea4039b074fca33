import { type PieceEvent, pieceEvent, type RowType } from '@soma/contracts';
import type { TimelineRow } from '@soma/sessions';
import { z } from 'zod';

/** What a record of `conversation.outbound` says. */
export type HeardRecord =
  { kind: 'row'; row: TimelineRow } | { kind: 'delta' | 'thinking'; piece: PieceEvent };

/** The part of a row that streams go by. All else is passed on unread. */
const rowHead = z.object({
  type: z.string(),
  seq: z.int().positive(),
  turn_id: z.string().nullable(),
});

const PIECE_KINDS = new Map<unknown, 'delta' | 'thinking'>([
  ['assistant.delta', 'delta'],
  ['assistant.thinking', 'thinking'],
]);

/** @throws when the text is no event of a session. */
export function readRecord(envelope: string): HeardRecord {
  const event: unknown = JSON.parse(envelope);
  const { type, seq, turn_id: turnId } = rowHead.parse(event);
  const kind = PIECE_KINDS.get(type);
  if (kind !== undefined) {
    return { kind, piece: pieceEvent.parse(event) };
  }
  // A later version may write types that this one does not know: they are passed on like others.
  return { kind: 'row', row: { seq, type: type as RowType, turnId, envelope } };
}
