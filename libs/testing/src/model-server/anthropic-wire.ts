import { type AnswerEnd, frame, type ModelWire, type StreamWriter, textOf } from './wire.ts';

interface Message {
  role: string;
  content: unknown;
}

/** Anthropic counts cached tokens beside the others, and tells the cost of the input first. */
function inputUsage({ usage }: AnswerEnd): object {
  return {
    input_tokens: usage.input_tokens - usage.cached_input_tokens,
    cache_read_input_tokens: usage.cached_input_tokens,
    cache_creation_input_tokens: 0,
  };
}

const STOP_REASONS = { stop: 'end_turn', length: 'max_tokens', tool_calls: 'tool_use' } as const;

function stopReason({ finish }: AnswerEnd): string {
  return STOP_REASONS[finish];
}

function message(model: string, content: object[], rest: object): object {
  return { id: 'msg_test', type: 'message', role: 'assistant', model, content, ...rest };
}

/** Text and thinking come in blocks of their own, opened and closed around their pieces. */
function writeStream(model: string): StreamWriter {
  let open: string | undefined;
  let index = -1;

  function closeBlock(): string {
    const closing = frame({ type: 'content_block_stop', index }, 'content_block_stop');
    const wasOpen = open !== undefined;
    open = undefined;
    return wasOpen ? closing : '';
  }

  function piece(kind: string, empty: object, delta: object): string {
    let before = '';
    if (open !== kind) {
      before = closeBlock();
      open = kind;
      index++;
      const start = { type: 'content_block_start', index, content_block: { type: kind, ...empty } };
      before += frame(start, 'content_block_start');
    }
    return before + frame({ type: 'content_block_delta', index, delta }, 'content_block_delta');
  }

  return {
    open: () => frame(messageStart(model), 'message_start') + frame({ type: 'ping' }, 'ping'),
    text: (text) => piece('text', { text: '' }, { type: 'text_delta', text }),
    thinking: (thinking) =>
      piece('thinking', { thinking: '', signature: '' }, { type: 'thinking_delta', thinking }),
    call: ({ tool: name, arguments: given }) => {
      const use = { id: `toolu_${index + 1}`, name, input: {} };
      const delta = { type: 'input_json_delta', partial_json: JSON.stringify(given) };
      // Each call has a block of its own.
      return closeBlock() + piece('tool_use', use, delta) + closeBlock();
    },
    error: (text) =>
      frame({ type: 'error', error: { type: 'overloaded_error', message: text } }, 'error'),
    close: (end) =>
      closeBlock() +
      frame(messageDelta(end), 'message_delta') +
      frame({ type: 'message_stop' }, 'message_stop'),
  };
}

function messageStart(model: string): object {
  const usage = { input_tokens: 0, output_tokens: 0 };
  return { type: 'message_start', message: message(model, [], { stop_reason: null, usage }) };
}

function messageDelta(end: AnswerEnd): object {
  return {
    type: 'message_delta',
    delta: { stop_reason: stopReason(end), stop_sequence: null },
    usage: { ...inputUsage(end), output_tokens: end.usage.output_tokens },
  };
}

/** Anthropic's messages. */
export const anthropicWire: ModelWire = {
  api: 'anthropic',
  keyHeader: 'x-api-key',
  read: (_path, body) => ({
    model: String(body['model']),
    streamed: body['stream'] === true,
    userMessages: (body['messages'] as Message[])
      .filter(({ role }) => role === 'user')
      .map(({ content }) => textOf(content)),
  }),
  stream: writeStream,
  error: (status, text) => ({
    type: 'error',
    error: { type: status === 429 ? 'rate_limit_error' : 'api_error', message: text },
  }),
  whole: (model, text, end) =>
    message(model, [{ type: 'text', text }], {
      stop_reason: stopReason(end),
      stop_sequence: null,
      usage: { ...inputUsage(end), output_tokens: end.usage.output_tokens },
    }),
};
