import { type Cursor, formatCursor } from '@soma/contracts';

/**
 * One event as it goes over the wire. Each form is encoded once, by whoever needs it first, however
 * many subscribers the event has.
 */
export class Frame {
  #eventStream: Buffer | undefined;
  #socketText: Buffer | undefined;

  /**
   * @param cursor - Where a client goes on that has seen this event; null for an event that is not
   *   replayed.
   */
  constructor(
    private readonly type: string,
    private readonly envelope: string,
    private readonly cursor: Cursor | null,
  ) {}

  /** For server-sent events. Without a cursor there is no `id:` line, so the client's last one stays. */
  get eventStream(): Buffer {
    return (this.#eventStream ??= this.#toEventStream());
  }

  /** For a WebSocket: the envelope alone, which carries its own cursor. */
  get socketText(): Buffer {
    return (this.#socketText ??= Buffer.from(this.envelope));
  }

  #toEventStream(): Buffer {
    const id = this.cursor === null ? '' : `id: ${formatCursor(this.cursor)}\n`;
    return Buffer.from(`${id}event: ${this.type}\ndata: ${this.envelope}\n\n`);
  }
}
