/*
 * The merge: one session's timeline and the pieces of its open answer become one stream.
 *
 * Idea. A subscriber is nothing but a position, the cursor of the last event that it was sent. What
 * comes next is a pure function of that position and of what is known: the rows of the timeline, in
 * order and without gaps, and the text of answers. So a stream can be cut at any event and go on in
 * any process; all that differs between processes is how soon they know something.
 *
 * Order. An `assistant.started` row with seq `s` opens an answer; its text has the cursors `s.<n>`,
 * where `n` counts the UTF-16 units of the whole turn's text. While the answer is open, the rows
 * after `s` (somebody else's message, say) are held back: once one of them is sent, the cursor is
 * past `s.<n>` and the answer's text can no longer be. The answer ends with its turn's next row:
 *
 * - `tool.start`, `approval.requested` and `assistant.final` carry the turn's whole text so far, so
 *   whatever a subscriber lacks of it is sent, as one delta, before the rows held back;
 * - any other row withdraws the text after `keep`: nothing more of it is sent. What a subscriber saw
 *   of withdrawn text may differ from what another one saw.
 *
 * Races. Rows and pieces come from a log that loses, repeats and reorders. A row counts only as the
 * successor of the last one; of a later one only its number is noted, which proves that the rows
 * before it are committed, so that the caller reads them from the timeline (`isBehind`). A
 * piece that comes before its `started` row waits for it and proves it likewise. A piece that comes
 * after the end of its answer is ignored. A piece that lies further on than the subscriber's
 * position waits for what is missing, which comes with the next whole text (a delta from 0, at
 * least every 5 s) or with the row that ends the answer.
 */
import type { Cursor, PieceEvent } from '@soma/contracts';
import type { TimelineRow } from '@soma/sessions';
import { Answer, type Delivery } from './answer.ts';
import { AnswerText } from './answer-text.ts';
import { Frame } from './frame.ts';

/** How much of the rows held back is kept, in UTF-16 units. The rest is read again when it is due. */
const MAX_KEPT_LENGTH = 256 * 1024;

interface KeptRow {
  row: TimelineRow;
  delivery: Delivery;
}

/** What is known of one session, and what follows from it for every position. */
export class SessionMerge {
  #rows: KeptRow[] = [];
  #keptLength = 0;
  /** The `seq` of the first row kept, or of the next one where none is. */
  #first: number;
  /** The last row of which it is certain that it exists. */
  #proven: number;
  /** The answers of the rows kept, and the open one, by the `seq` of their `assistant.started`. */
  readonly #answers = new Map<number, Answer>();
  /** The `seq` of the answer without an end. There is one at most: a session runs one turn at a time. */
  #openSeq: number | undefined;
  /** Text that came before its `assistant.started`. */
  readonly #early = new Map<number, AnswerText>();

  /** @param seq - It will be given the rows after this one. */
  constructor(seq: number) {
    this.#first = seq + 1;
    this.#proven = seq;
  }

  /** The last row that is known together with all rows before it. */
  get last(): number {
    return this.#first + this.#rows.length - 1;
  }

  /** Whether the timeline has rows after {@link last}. */
  get isBehind(): boolean {
    return this.#proven > this.last;
  }

  /** How many pieces wait for text or for a row that comes before them. */
  get piecesWaiting(): number {
    return (this.#open?.gaps ?? 0) + this.#early.size;
  }

  /** Notes that the timeline reaches to this row. */
  expect(seq: number): void {
    this.#proven = Math.max(this.#proven, seq);
  }

  /** Takes a row, wherever it comes from. Unless it is the next one, only its number counts. */
  row(row: TimelineRow): void {
    this.expect(row.seq);
    if (row.seq !== this.last + 1) {
      return;
    }
    const position = { seq: row.seq, offset: 0 };
    this.#rows.push({
      row,
      delivery: { frame: new Frame(row.type, row.envelope, position), position },
    });
    this.#keptLength += row.envelope.length;
    if (this.#open !== undefined && this.#open.turnId === row.turnId) {
      this.#open.end(row);
      this.#openSeq = undefined;
    }
    if (row.type === 'assistant.started') {
      this.#answers.set(row.seq, new Answer(row, this.#early.get(row.seq)));
      this.#openSeq = row.seq;
    }
    this.#early.delete(row.seq);
  }

  /** Takes a piece of an answer's text. */
  piece(piece: PieceEvent, envelope: string): void {
    const startedSeq = piece.started_seq;
    this.expect(startedSeq);
    if (startedSeq === this.#openSeq) {
      this.#open?.add(piece, envelope);
    } else if (startedSeq > this.last) {
      const text = this.#early.get(startedSeq) ?? new AnswerText();
      text.add(piece.from, piece.message);
      this.#early.set(startedSeq, text);
    }
  }

  /** What a subscriber at this position is sent next; null while that is not known. */
  next(position: Cursor): Delivery | null {
    const answer = this.#answers.get(position.seq);
    const delta = answer?.deltaFrom(position.offset) ?? null;
    if (delta !== null || answer?.isOpen === true) {
      return delta;
    }
    return this.#rows[position.seq + 1 - this.#first]?.delivery ?? null;
  }

  /**
   * Whether all that a subscriber at this position needs is known or will be. Otherwise rows that
   * it has not been sent are no longer kept: they are to be read again.
   */
  serves(position: Cursor): boolean {
    // Nothing comes before row 1, so the start of a session is served by whoever has that row.
    return Math.max(position.seq, 1) >= this.#first || position.seq === this.#openSeq;
  }

  /** Whether a cursor lies within the text of its row, as far as that can be told. */
  contains(cursor: Cursor): boolean {
    return this.#answers.get(cursor.seq)?.reaches(cursor.offset) ?? cursor.offset === 0;
  }

  /** Whether this answer is known and has no end yet. */
  isOpen(startedSeq: number): boolean {
    return startedSeq === this.#openSeq;
  }

  /** Lets go of what all who are served have been sent, and of what is too much to keep. */
  forget(): void {
    const tip = this.#openSeq ?? this.last;
    while (this.#first < tip || this.#keepsTooMuch) {
      this.#keptLength -= this.#rows.shift()?.row.envelope.length ?? 0;
      this.#first += 1;
    }
    const unneeded = [...this.#answers.keys()].filter(
      (seq) => seq < this.#first && seq !== this.#openSeq,
    );
    unneeded.forEach((seq) => this.#answers.delete(seq));
  }

  /** Begins again after a row all of which has been sent. */
  rewind(seq: number): void {
    this.#rows = [];
    this.#keptLength = 0;
    this.#first = seq + 1;
  }

  get #keepsTooMuch(): boolean {
    return this.#keptLength > MAX_KEPT_LENGTH && this.#rows.length > 1;
  }

  get #open(): Answer | undefined {
    return this.#openSeq === undefined ? undefined : this.#answers.get(this.#openSeq);
  }
}
