import type { Cursor } from '@soma/contracts';
import type { Delivery } from './answer.ts';
import type { Frame } from './frame.ts';
import { framesSent, streamMetrics, type StreamKind } from './stream-metrics.ts';

/** While a stream is brought up to date, about so much waits for its client. */
const PACE_BYTES = 64 * 1024;

/** Why a stream is ended from this side. */
export type StreamEnd = 'deleted' | 'denied' | 'restarting' | 'too_slow' | 'failed';

/** Whose events a stream carries, and from where on. */
export interface StreamStart {
  tenantId: string;
  sessionId: string;
  /** The stream begins with what comes after it. */
  position: Cursor;
}

/**
 * One open stream of one client: where it is, and the way to it. There are many thousands of them,
 * so it holds as little as can be: no timer and no queue of its own.
 */
export abstract class Subscriber {
  readonly tenantId: string;
  readonly sessionId: string;
  /** The last event that it was sent. */
  position: Cursor;
  isOpen = true;

  protected constructor(
    { tenantId, sessionId, position }: StreamStart,
    readonly kind: StreamKind,
    private readonly maxBufferedBytes: number,
  ) {
    this.tenantId = tenantId;
    this.sessionId = sessionId;
    this.position = position;
  }

  /** Bytes that the client has not taken yet. */
  abstract get bufferedBytes(): number;

  /** Whether the client has still to take what it was sent before. */
  get isBusy(): boolean {
    return this.bufferedBytes > Math.min(PACE_BYTES, this.maxBufferedBytes);
  }

  /** Sends an event. A client that is too slow for it is disconnected, and can resume. */
  deliver({ frame, position }: Delivery): void {
    this.send(frame);
    this.position = position;
  }

  /** Sends an event that no cursor stands for. */
  send(frame: Frame): void {
    if (!this.isOpen) {
      return;
    }
    // Before the write, so that one event may be larger than what may wait.
    if (this.bufferedBytes > this.maxBufferedBytes) {
      streamMetrics.slowReaders.inc({ kind: this.kind });
      this.end('too_slow');
      return;
    }
    this.write(frame);
    framesSent[this.kind] += 1;
  }

  /** Ends the stream from this side. */
  end(reason: StreamEnd): void {
    if (this.isOpen) {
      this.isOpen = false;
      this.close(reason);
    }
  }

  /** Shows the client, and whatever stands between, that the stream is alive. */
  abstract beat(): void;

  protected abstract write(frame: Frame): void;

  protected abstract close(reason: StreamEnd): void;
}
