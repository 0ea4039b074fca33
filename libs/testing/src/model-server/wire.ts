import type { ModelApi, ModelServerCall, ModelServerUsage } from './script.ts';

/** A call, read from the provider's own format. */
interface ModelCallBody {
  model: string;
  streamed: boolean;
  userMessages: string[];
}

/** How one answer ends. */
export interface AnswerEnd {
  finish: 'stop' | 'length' | 'tool_calls';
  usage: ModelServerUsage;
}

/** Writes the frames of one stream, in the order in which they are asked for. */
export interface StreamWriter {
  /** What comes before the first piece. */
  open: () => string;
  text: (text: string) => string;
  thinking: (text: string) => string;
  call: (call: ModelServerCall) => string;
  error: (message: string) => string;
  close: (end: AnswerEnd) => string;
}

/** One provider's format: how a call is read, and how the parts of an answer are written. */
export interface ModelWire {
  api: ModelApi;
  /** The header with the key, in lower case. */
  keyHeader: string;
  read: (path: string, body: Record<string, unknown>) => ModelCallBody;
  stream: (model: string) => StreamWriter;
  /** The body of an HTTP error. */
  error: (status: number, message: string) => unknown;
  /** The whole answer, for a caller that does not want a stream. */
  whole: (model: string, text: string, end: AnswerEnd) => unknown;
}

/** A server-sent event, as every one of these providers streams. */
export function frame(data: unknown, event?: string): string {
  return `${event === undefined ? '' : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`;
}

/** The text of a message whose content is a string or a list of parts. */
export function textOf(content: unknown): string {
  if (typeof content === 'string') {
    return content;
  }
  const parts = Array.isArray(content) ? (content as { text?: unknown }[]) : [];
  return parts.map(({ text }) => (typeof text === 'string' ? text : '')).join('');
}
