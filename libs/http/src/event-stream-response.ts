import type { FastifyReply } from 'fastify';

/** What stands between a stream and its reader and may delay or store it. */
const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store, no-transform',
  // nginx and its like gather an answer unless told not to.
  'x-accel-buffering': 'no',
};

/**
 * An answer of server-sent events, written without Fastify between.
 *
 * It takes frames that are ready to send, so that one frame is made once for all its readers.
 */
export class EventStreamResponse {
  private readonly raw: FastifyReply['raw'];

  /** @param maxBufferedBytes - How much may wait for a reader that is slower than its events. */
  constructor(
    reply: FastifyReply,
    private readonly maxBufferedBytes: number,
  ) {
    reply.hijack();
    this.raw = reply.raw;
    this.raw.writeHead(200, { ...(reply.getHeaders() as Record<string, string>), ...HEADERS });
    this.raw.flushHeaders();
  }

  /** Sends bytes. False means that the reader is too slow: the caller then ends the stream. */
  write(frame: string | Buffer): boolean {
    this.raw.write(frame);
    return this.raw.writableLength <= this.maxBufferedBytes;
  }

  get bufferedBytes(): number {
    return this.raw.writableLength;
  }

  /** Runs once when the stream is over, whoever ended it. */
  onClose(listener: () => void): void {
    // It closes once. `once` would keep two more objects for each of very many idle streams.
    this.raw.on('close', listener);
  }

  /** Ends the stream after what has been written. */
  end(): void {
    this.raw.end();
  }

  /** Cuts the connection: a reader that does not read would otherwise hold what was written. */
  cut(): void {
    this.raw.destroy();
  }
}
