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

  constructor(reply: FastifyReply) {
    reply.hijack();
    this.raw = reply.raw;
    this.raw.writeHead(200, { ...(reply.getHeaders() as Record<string, string>), ...HEADERS });
    this.raw.flushHeaders();
  }

  /** Sends bytes. They wait here while the reader is slower, so the caller watches how many do. */
  write(frame: string | Buffer): void {
    this.raw.write(frame);
  }

  /** Bytes that the reader has not taken yet. */
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
