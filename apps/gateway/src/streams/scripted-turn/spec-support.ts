import { conversationOutbound, type RowType } from '@soma/contracts';
import { newIdentifier } from '@soma/kernel';
import type { CoalescingProducer } from '@soma/messaging';
import type { TestDatabase } from '@soma/testing';

/** Where a turn's session is read as server-sent events. */
export const pathOf = ({ sessionId }: ScriptedTurn): string => `/v1/session/${sessionId}/events`;

/** Answers a turn as a worker does: rows into the timeline, and what others hear into Kafka. */
export class ScriptedTurn {
  readonly sessionId: string;
  readonly #turnId: string;
  /** Of the last row or piece that it has written, and at first of its message. */
  cursor: string;
  #startedSeq = 0;
  #text = '';
  #repeating: NodeJS.Timeout | undefined;

  constructor(
    private readonly database: TestDatabase,
    private readonly producer: CoalescingProducer,
    { sessionId, turnId, cursor }: { sessionId: string; turnId: string; cursor: string },
  ) {
    this.sessionId = sessionId;
    this.#turnId = turnId;
    this.cursor = cursor;
  }

  /** Commits a row. Unless told otherwise Kafka hears of it, and of an open answer's text again. */
  async row(
    type: RowType,
    fields: { keep?: number } & Record<string, unknown> = {},
    { isHeard = true, isRepeated = true } = {},
  ): Promise<void> {
    clearInterval(this.#repeating);
    const [session] = await this.database.execute(
      `UPDATE conversation.sessions SET last_seq = last_seq + 1
        WHERE session_id = $1 RETURNING last_seq`,
      [this.sessionId],
    );
    const seq = Number(session?.['last_seq']);
    const row = { type, event_id: newIdentifier(), seq, cursor: `${seq}.0`, message: '' };
    const envelope = JSON.stringify({ ...this.#envelope(), ...row, persona_id: null, ...fields });
    this.cursor = row.cursor;
    await this.database.execute(
      `INSERT INTO conversation.session_events (tenant_id, session_id, seq, event_id, turn_id,
              type, envelope, occurred_at, published_at)
       VALUES ('acme', $1, $2, $3, $4, $5, $6, now(), now())`,
      [this.sessionId, seq, row.event_id, this.#turnId, type, envelope],
    );
    if (type === 'assistant.started') this.#open(seq, { ...fields, isRepeated });
    if (isHeard) await this.#publish(envelope);
  }

  /** As long as the answer is open its whole text is repeated, for those who lack a part of it. */
  #open(seq: number, { keep = 0, isRepeated }: { keep?: number; isRepeated: boolean }): void {
    this.#startedSeq = seq;
    this.#text = this.#text.slice(0, keep);
    if (!isRepeated) return;
    this.#repeating = setInterval(() => {
      // What Kafka does not take is repeated again; and it is closed before an answer is left open.
      if (this.#text !== '') this.repeatText().catch(() => undefined);
    }, 2_000).unref();
  }

  /** Streams a piece of the answer, by default the next one. */
  async piece(message: string, from = this.#text.length): Promise<void> {
    this.#text = this.#text.slice(0, from) + message;
    this.cursor = `${this.#startedSeq}.${this.#text.length}`;
    await this.#publishPiece(message, from);
  }

  async thinking(message: string): Promise<void> {
    const seq = this.#startedSeq;
    const to = this.#text.length;
    const place = { seq, started_seq: seq, from: to, to, cursor: `${seq}.${to}` };
    const piece = { ...this.#envelope(), type: 'assistant.thinking', message, ...place };
    await this.#publish(JSON.stringify(piece));
  }

  get text(): string {
    return this.#text;
  }

  async repeatText(): Promise<void> {
    await this.#publishPiece(this.#text, 0);
  }

  async #publishPiece(message: string, from: number): Promise<void> {
    const seq = this.#startedSeq;
    const to = from + message.length;
    const place = { seq, started_seq: seq, from, to, cursor: `${seq}.${to}` };
    const piece = { ...this.#envelope(), type: 'assistant.delta', message, ...place };
    await this.#publish(JSON.stringify(piece));
  }

  #envelope(): object {
    return {
      schema: conversationOutbound.version,
      tenant_id: 'acme',
      session_id: this.sessionId,
      turn_id: this.#turnId,
      principal: { subject: 'conversation-worker' },
      occurred_at: new Date().toISOString(),
      role: 'assistant',
      metadata: {},
    };
  }

  async #publish(value: string): Promise<void> {
    const key = `acme:${this.sessionId}`;
    await this.producer.send({ topic: conversationOutbound.name, key, value });
  }
}
