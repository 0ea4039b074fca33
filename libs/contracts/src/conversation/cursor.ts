import { z } from 'zod';

/**
 * A place in a session's stream: the last row that was seen, and how much of the text of the turn
 * that this row opened, in UTF-16 units (0 for the row itself). On the wire it is `<seq>.<offset>`.
 */
export interface Cursor {
  seq: number;
  offset: number;
}

const NUMBER = '0|[1-9][0-9]{0,14}';
const CURSOR = new RegExp(`^(${NUMBER})(?:\\.(${NUMBER}))?$`);

/** Where every stream of a session begins. */
export const START: Cursor = { seq: 0, offset: 0 };

/** The cursor on the wire. A bare `<seq>` is read as `<seq>.0`. */
export const cursorText = z.string().regex(CURSOR, 'must be a cursor such as 12.0, as received');

/** Reads a cursor, or answers null where the text is none. */
export function parseCursor(text: string): Cursor | null {
  const parts = CURSOR.exec(text);
  return parts === null ? null : { seq: Number(parts[1]), offset: Number(parts[2] ?? 0) };
}

/** Writes a cursor the way {@link parseCursor} reads it. */
export function formatCursor({ seq, offset }: Cursor): string {
  return `${seq}.${offset}`;
}

/** Negative where `left` comes first in the stream, positive where `right` does, else 0. */
export function compareCursors(left: Cursor, right: Cursor): number {
  return left.seq - right.seq || left.offset - right.offset;
}
