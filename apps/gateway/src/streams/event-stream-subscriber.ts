import type { EventStreamResponse } from '@soma/http';
import type { Frame } from './frame.ts';
import { type StreamEnd, type StreamStart, Subscriber } from './subscriber.ts';

/** How soon a client comes back after a cut, in milliseconds. */
const RETRY = 'retry: 1000\n\n';
const HEARTBEAT = ':\n\n';

/** A stream of server-sent events (HTML Living Standard §9.2). */
export class EventStreamSubscriber extends Subscriber {
  constructor(
    start: StreamStart,
    private readonly response: Pick<EventStreamResponse, 'write' | 'bufferedBytes' | 'end' | 'cut'>,
    maxBufferedBytes: number,
  ) {
    super(start, 'sse', maxBufferedBytes);
    response.write(RETRY);
  }

  override get bufferedBytes(): number {
    return this.response.bufferedBytes;
  }

  override beat(): void {
    this.response.write(HEARTBEAT);
  }

  protected override write(frame: Frame): void {
    this.response.write(frame.eventStream);
  }

  protected override close(reason: StreamEnd): void {
    switch (reason) {
      case 'restarting':
        this.response.write(RETRY);
        this.response.end();
        break;
      // Whoever is denied comes back, and is told why they are not let in.
      case 'denied':
      case 'deleted':
        this.response.end();
        break;
      case 'too_slow':
      case 'failed':
        this.response.cut();
        break;
    }
  }
}
