import {
  conversationOutbound,
  type Cursor,
  formatCursor,
  type PieceEvent,
  type RowEvent,
} from '@soma/contracts';
import type { TimelineRow } from '@soma/sessions';
import { AnswerText } from './answer-text.ts';
import { Frame } from './frame.ts';

/** One event to send, and the position of a subscriber who has been sent it. */
export interface Delivery {
  frame: Frame;
  position: Cursor;
}

/** The text of one `assistant.started` row: what is known of it, and what of it is still to be sent. */
export class Answer {
  readonly turnId: string | null;
  readonly #started: RowEvent;
  #text: AnswerText;
  #isOpen = true;
  #isWithdrawn = false;
  #latest: string;
  /** The delta that was sent last. Most subscribers are at the same place, so it serves most. */
  #lastDelta: { from: number; to: number; delivery: Delivery } | undefined;

  /** @param early - Text of this answer that came before its row. */
  constructor(row: TimelineRow, early = new AnswerText()) {
    this.turnId = row.turnId;
    this.#started = parseRow(row);
    this.#latest = this.#started.occurred_at;
    this.#text = early;
  }

  /** Whether its turn has no later row yet. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  get gaps(): number {
    return this.#text.gaps;
  }

  add(piece: PieceEvent, envelope: string): void {
    this.#text.add(piece.from, piece.message);
    this.#latest = piece.occurred_at;
    // Whoever has all before this piece gets it as it came, without serialising it again.
    const { from, to } = piece;
    this.#lastDelta = { from, to, delivery: this.#delivery(to, envelope) };
  }

  /** Ends the answer with the next row of its turn. */
  end(row: TimelineRow): void {
    this.#isOpen = false;
    this.#text = new AnswerText();
    const event = parseRow(row);
    const whole = wholeText(event);
    this.#isWithdrawn = whole === undefined;
    this.#latest = event.occurred_at;
    this.#text.add(0, whole ?? '');
  }

  /** Whether an offset lies in the text, as far as that can be told: withdrawn text is forgotten. */
  reaches(offset: number): boolean {
    return this.#isOpen || this.#isWithdrawn || offset <= this.#text.endFrom(0);
  }

  /** The text after an offset, as one delta; null where none is known. */
  deltaFrom(offset: number): Delivery | null {
    const from = Math.max(offset, this.#started.keep ?? 0);
    const to = this.#text.endFrom(from);
    if (to === from) {
      return null;
    }
    if (this.#lastDelta?.from !== from || this.#lastDelta.to !== to) {
      this.#lastDelta = { from, to, delivery: this.#makeDelta(from, to) };
    }
    return this.#lastDelta.delivery;
  }

  #makeDelta(from: number, to: number): Delivery {
    const { tenant_id, session_id, turn_id, principal, seq } = this.#started;
    const delta: PieceEvent = {
      schema: conversationOutbound.version,
      type: 'assistant.delta',
      tenant_id,
      session_id,
      turn_id,
      principal,
      seq,
      started_seq: seq,
      from,
      to,
      role: 'assistant',
      message: this.#text.readFrom(from),
      cursor: formatCursor({ seq, offset: to }),
      occurred_at: this.#latest,
    };
    return this.#delivery(to, JSON.stringify(delta));
  }

  #delivery(offset: number, envelope: string): Delivery {
    const position = { seq: this.#started.seq, offset };
    return { frame: new Frame('assistant.delta', envelope, position), position };
  }
}

/** The turn's text so far, where a row says it; undefined where the row withdraws it. */
function wholeText(event: RowEvent): string | undefined {
  switch (event.type) {
    case 'assistant.final':
      return event.message;
    case 'tool.start':
    case 'approval.requested':
      return event.text;
    default:
      return undefined;
  }
}

function parseRow(row: TimelineRow): RowEvent {
  // Written by `@soma/sessions` from a RowEvent. Unknown fields of a later version do no harm.
  return JSON.parse(row.envelope) as RowEvent;
}
