import { patientFetch } from './patient-fetch.ts';

/** One server-sent event, or one comment line (a heartbeat). */
export interface StreamEvent {
  id: string | undefined;
  event: string;
  data: string;
}

export interface EventStreamOptions {
  headers?: Record<string, string>;
  /** Cuts the connection after so many bytes of the body, in the middle of a frame if it falls so. */
  cutAfterBytes?: number;
  signal?: AbortSignal;
}

/** An open stream of server-sent events: iterate over it, and leave the loop or dispose to close it. */
export interface EventStream extends AsyncIterable<StreamEvent>, Disposable {
  status: number;
  headers: Headers;
  /** Frames without an event, such as heartbeats. */
  comments: string[];
  /** Last `retry:` value, in milliseconds. */
  retryMs: number | undefined;
}

/**
 * Opens a stream, when a server that asks to wait is ready. A status other than 200 is answered with
 * its body as the error's message.
 */
export async function openEventStream(
  url: string,
  options: EventStreamOptions = {},
): Promise<EventStream> {
  const closing = new AbortController();
  const signals = [closing.signal, ...(options.signal ? [options.signal] : [])];
  const response = await patientFetch(url, {
    headers: { accept: 'text/event-stream', ...options.headers },
    signal: AbortSignal.any(signals),
  });
  if (response.status !== 200 || !response.body) {
    throw new Error(`${response.status}: ${await response.text()}`);
  }
  const stream: EventStream = {
    status: response.status,
    headers: response.headers,
    comments: [],
    retryMs: undefined,
    [Symbol.asyncIterator]: () => eventsOf(stream, bytesOf(response.body, options.cutAfterBytes)),
    [Symbol.dispose]: () => {
      closing.abort();
    },
  };
  return stream;
}

async function* eventsOf(
  stream: EventStream,
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<StreamEvent> {
  // Leaving the loop returns each generator in turn, which closes the connection.
  for await (const frame of frames(bytes)) {
    const { comment, retry, id, event = 'message', data } = parseFrame(frame);
    if (comment !== undefined) stream.comments.push(comment);
    if (retry !== undefined) stream.retryMs = Number(retry);
    if (data !== undefined) yield { id, event, data };
  }
}

async function* bytesOf(
  body: ReadableStream<Uint8Array> | null,
  limit = Infinity,
): AsyncGenerator<Uint8Array> {
  let left = limit;
  if (left <= 0) return;
  for await (const chunk of body ?? []) {
    yield chunk.subarray(0, Math.min(left, chunk.length));
    left -= chunk.length;
    if (left <= 0) return;
  }
}

/** Whole frames only: what a cut leaves behind is dropped, as a browser does. */
async function* frames(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of bytes) {
    text += decoder.decode(chunk, { stream: true });
    const parts = text.split('\n\n');
    text = parts.pop() ?? '';
    yield* parts;
  }
}

type FrameField = 'comment' | 'retry' | 'id' | 'event' | 'data';

function parseFrame(frame: string): Partial<Record<FrameField, string>> {
  const fields: Partial<Record<FrameField, string>> = {};
  for (const line of frame.split('\n')) {
    const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    const field = (name === '' ? 'comment' : name) as FrameField;
    const joined = field === 'data' && fields.data !== undefined ? `${fields.data}\n` : '';
    fields[field] = joined + value;
  }
  return fields;
}
