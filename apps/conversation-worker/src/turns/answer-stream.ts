/*
 * What a stream sees of an open answer: pieces of the turn's text, each with its place in it.
 *
 * Pieces go through Kafka and may be lost; nothing here waits for them. A piece that is lost shows
 * as a gap to the reader, and is filled by the next repeat of the whole text (rule 19) or by the row
 * that closes the answer.
 */
import { conversationOutbound, formatCursor, type PieceEvent, sessionKey } from '@soma/contracts';
import type { OutgoingRecord } from '@soma/messaging';
import type { ClaimedTurn } from '@soma/sessions';

/** Pieces within this time go together, but for the first, which a person waits for. */
const COALESCE_MS = 50;
/** How often the whole text is repeated for readers that missed a piece or came late. */
const REPEAT_MS = 5_000;

/** Sends a record and forgets it. */
export type SendPiece = (record: OutgoingRecord) => void;

/** The open answer of one attempt. */
export class AnswerStream {
  readonly #turn: ClaimedTurn;
  readonly #send: SendPiece;
  readonly #repeat: NodeJS.Timeout;
  #flush: NodeJS.Timeout | undefined;
  #text: string;
  #sent: number;
  #thinking = '';

  /** @param kept - The turn's text that earlier steps have left, of `turn.keep` units. */
  constructor(turn: ClaimedTurn, kept: string, send: SendPiece) {
    this.#turn = turn;
    this.#send = send;
    this.#text = kept;
    this.#sent = kept.length;
    this.#repeat = setInterval(() => {
      this.#repeatWhole();
    }, REPEAT_MS);
  }

  /** The turn's whole text so far. */
  get text(): string {
    return this.#text;
  }

  /** Whether this attempt has shown any text of its own. */
  get hasStreamed(): boolean {
    return this.#sent > this.#turn.keep;
  }

  /**
   * @param piece - It never ends inside a surrogate pair.
   * @param onFirst - Hears of the first piece of this attempt.
   */
  append(piece: string, onFirst: () => void): void {
    if (this.#text.length === this.#turn.keep) onFirst();
    this.#text += piece;
    this.#sendSoon();
  }

  /** Thoughts are shown while they come, and kept nowhere. */
  think(piece: string): void {
    this.#thinking += piece;
    this.#sendSoon();
  }

  /** Nothing is sent any more. What was not sent comes with the row that closes the answer. */
  close(): void {
    clearInterval(this.#repeat);
    clearTimeout(this.#flush);
  }

  #sendSoon(): void {
    if (this.#flush !== undefined) {
      return;
    }
    // At once, and then nothing for a moment: what comes meanwhile goes together.
    this.#sendPieces();
    this.#flush = setTimeout(() => {
      this.#flush = undefined;
      if (this.#thinking !== '' || this.#sent < this.#text.length) {
        this.#sendSoon();
      }
    }, COALESCE_MS);
  }

  #sendPieces(): void {
    if (this.#thinking !== '') {
      this.#sendPiece('assistant.thinking', this.#sent, this.#thinking);
      this.#thinking = '';
    }
    if (this.#sent < this.#text.length) {
      this.#sendPiece('assistant.delta', this.#sent, this.#text.slice(this.#sent));
      this.#sent = this.#text.length;
    }
  }

  #repeatWhole(): void {
    if (this.#text !== '') {
      this.#sent = this.#text.length;
      this.#sendPiece('assistant.delta', 0, this.#text);
    }
  }

  #sendPiece(type: PieceEvent['type'], from: number, message: string): void {
    const { tenantId, sessionId, startedSeq, turnId, subject } = this.#turn;
    const to = type === 'assistant.delta' ? from + message.length : from;
    const piece: PieceEvent = {
      schema: conversationOutbound.version,
      type,
      tenant_id: tenantId,
      session_id: sessionId,
      turn_id: turnId,
      seq: startedSeq,
      cursor: formatCursor({ seq: startedSeq, offset: to }),
      started_seq: startedSeq,
      from,
      to,
      role: 'assistant',
      message,
      principal: { subject },
      occurred_at: new Date().toISOString(),
    };
    const key = sessionKey(piece);
    this.#send({ topic: conversationOutbound.name, key, value: JSON.stringify(piece) });
  }
}
