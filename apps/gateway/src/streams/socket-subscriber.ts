import type { WebSocket } from 'ws';
import type { Frame } from './frame.ts';
import { type StreamEnd, type StreamStart, Subscriber } from './subscriber.ts';

/** Close codes (RFC 6455 §7.4 and IANA's registry). */
const CODES: Record<StreamEnd, number> = {
  deleted: 1000,
  denied: 1008,
  failed: 1011,
  restarting: 1012,
  too_slow: 1013,
};
/** A client that has answered none of so many pings is gone. */
const MAX_UNANSWERED_PINGS = 2;

/** A stream over a WebSocket. */
export class SocketSubscriber extends Subscriber {
  #unansweredPings = 0;

  constructor(
    start: StreamStart,
    private readonly socket: WebSocket,
    maxBufferedBytes: number,
  ) {
    super(start, 'websocket', maxBufferedBytes);
    socket.on('pong', () => {
      this.#unansweredPings = 0;
    });
  }

  override get bufferedBytes(): number {
    return this.socket.bufferedAmount;
  }

  override beat(): void {
    if (this.#unansweredPings >= MAX_UNANSWERED_PINGS) {
      this.socket.terminate();
      return;
    }
    this.#unansweredPings += 1;
    this.socket.ping();
  }

  protected override write(frame: Frame): void {
    this.socket.send(frame.socketText, { binary: false });
  }

  protected override close(reason: StreamEnd): void {
    this.socket.close(CODES[reason], reason);
  }
}
