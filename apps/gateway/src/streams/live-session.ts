import { setImmediate } from 'node:timers/promises';
import { type Cursor, formatCursor, type PieceEvent } from '@soma/contracts';
import { requestIdIn, startSpan, type TraceHeaders } from '@soma/observability';
import type { TimelineRow } from '@soma/sessions';
import type { Delivery } from './answer.ts';
import { Frame } from './frame.ts';
import { readRecord } from './heard-record.ts';
import type { SessionMerge } from './merge.ts';
import { streamMetrics } from './stream-metrics.ts';
import type { Subscriber } from './subscriber.ts';

/** What a {@link LiveSession} needs from those who keep it. */
export interface LiveSessionOptions {
  tenantId: string;
  readAfter: (seq: number) => Promise<TimelineRow[]>;
  /** A subscriber was removed because rows that it lacks are no longer kept. */
  onUnserved: (subscriber: Subscriber) => void;
  onError: (error: unknown) => void;
}

/** What those at one place are sent, and whether they can be served after it. */
interface Following {
  deliveries: Delivery[];
  isServed: boolean;
}

/** A session that somebody listens to: its merge, and all who have come to its end. */
export class LiveSession {
  readonly subscribers = new Set<Subscriber>();
  #isReading = false;

  constructor(
    readonly merge: SessionMerge,
    private readonly options: LiveSessionOptions,
  ) {}

  /** Takes a subscriber in, unless it lacks rows that are no longer kept. */
  join(subscriber: Subscriber): boolean {
    if (!this.merge.serves(subscriber.position)) {
      return false;
    }
    this.subscribers.add(subscriber);
    // The subscriber may have read further than this session has heard.
    this.expect(subscriber.position.seq);
    this.#deliver();
    return true;
  }

  /**
   * Takes a record of Kafka.
   *
   * @param headers - Of a record that is heard as it comes, whose trace ends here.
   */
  hear(value: Buffer, headers: TraceHeaders = {}): void {
    const envelope = value.toString();
    const record = readOrNull(envelope);
    if (record === null) {
      streamMetrics.unreadable.inc();
      return;
    }
    switch (record.kind) {
      case 'thinking':
        this.#passOn(record.piece);
        return;
      case 'delta':
        this.merge.piece(record.piece, envelope);
        this.#deliver();
        break;
      case 'row':
        this.#traced(headers, () => {
          this.merge.row(record.row);
          this.#deliver();
        });
        break;
    }
    this.#readMissing();
  }

  /** Rows alone: a span for each piece would cost more than the piece. */
  #traced(headers: TraceHeaders, deliver: () => void): void {
    if (headers['traceparent'] === undefined) {
      deliver();
      return;
    }
    const span = startSpan({
      name: 'stream.deliver',
      kind: 'consumer',
      causedBy: headers,
      attributes: { 'tenant.id': this.options.tenantId, 'request.id': requestIdIn(headers) },
    });
    span.run(deliver);
    span.end();
  }

  /** Reads what is missing of a timeline that reaches to this row. */
  expect(seq: number): void {
    this.merge.expect(seq);
    this.#readMissing();
  }

  #deliver(): void {
    // Nearly all subscribers are at the same place, so what comes after it is looked for once.
    let place: Cursor | undefined;
    let following: Following = { deliveries: [], isServed: true };
    for (const subscriber of this.subscribers) {
      if (subscriber.position !== place) {
        place = subscriber.position;
        following = this.#after(place);
      }
      for (const delivery of following.deliveries) subscriber.deliver(delivery);
      if (!following.isServed) {
        this.subscribers.delete(subscriber);
        this.options.onUnserved(subscriber);
      }
    }
    this.merge.forget();
  }

  #after(place: Cursor): Following {
    const deliveries: Delivery[] = [];
    let position = place;
    for (let next = this.merge.next(position); next !== null; next = this.merge.next(position)) {
      deliveries.push(next);
      ({ position } = next);
    }
    return { deliveries, isServed: this.merge.serves(position) };
  }

  /** Thinking is shown to those who wait at its answer, and lost to all others. */
  #passOn(piece: PieceEvent): void {
    if (!this.merge.isOpen(piece.started_seq)) {
      return;
    }
    let cursor = '';
    let frame: Frame | undefined;
    for (const subscriber of this.subscribers) {
      const own = formatCursor(subscriber.position);
      if (subscriber.position.seq === piece.started_seq) {
        // A client that resumes from it must not miss text that it has not been sent yet.
        frame = own === cursor ? frame : undefined;
        frame ??= new Frame(piece.type, JSON.stringify({ ...piece, cursor: own }), null);
        cursor = own;
        subscriber.send(frame);
      }
    }
  }

  #readMissing(): void {
    if (this.merge.isBehind && !this.#isReading) {
      this.#isReading = true;
      this.#readToEnd()
        .catch(this.options.onError)
        .finally(() => {
          this.#isReading = false;
        });
    }
  }

  async #readToEnd(): Promise<void> {
    // The next record of the same batch may be the missing row.
    await setImmediate();
    while (this.merge.isBehind && this.subscribers.size > 0) {
      streamMetrics.gapsRead.inc();
      const rows = await this.options.readAfter(this.merge.last);
      if (rows.length === 0) {
        return;
      }
      rows.forEach((row) => {
        this.merge.row(row);
      });
      this.#deliver();
    }
  }
}

function readOrNull(envelope: string): ReturnType<typeof readRecord> | null {
  try {
    return readRecord(envelope);
  } catch {
    // Only a fault of our own can write such a record. What it was meant to say is read elsewhere.
    return null;
  }
}
