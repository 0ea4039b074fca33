import type { ModelServerCall } from './script.ts';
import { type AnswerEnd, frame, type ModelWire, type StreamWriter, textOf } from './wire.ts';

interface ChatMessage {
  role: string;
  content: unknown;
}

function chunk(model: string, choices: object[]): object {
  return { id: 'chatcmpl-test', object: 'chat.completion.chunk', created: 0, model, choices };
}

function choice(delta: object, finish_reason: string | null = null): object {
  return { index: 0, delta, finish_reason };
}

function usage({ usage: { input_tokens, output_tokens, cached_input_tokens } }: AnswerEnd): object {
  return {
    prompt_tokens: input_tokens,
    completion_tokens: output_tokens,
    total_tokens: input_tokens + output_tokens,
    prompt_tokens_details: { cached_tokens: cached_input_tokens },
  };
}

/** A call comes in two pieces, cut inside its arguments, as real ones do. */
function callFrames(model: string, index: number, call: ModelServerCall): string {
  const given = JSON.stringify(call.arguments);
  const piece = (part: object): string =>
    frame(chunk(model, [choice({ tool_calls: [{ index, ...part }] })]));
  return (
    piece({
      id: `call_${index}`,
      type: 'function',
      function: { name: call.tool, arguments: given.slice(0, 1) },
    }) + piece({ function: { arguments: given.slice(1) } })
  );
}

function writeStream(model: string): StreamWriter {
  let calls = 0;
  return {
    open: () => frame(chunk(model, [choice({ role: 'assistant', content: '' })])),
    text: (content) => frame(chunk(model, [choice({ content })])),
    thinking: (reasoning_content) => frame(chunk(model, [choice({ reasoning_content })])),
    call: (call) => callFrames(model, calls++, call),
    error: (message) =>
      frame({ error: { message, type: 'server_error', param: null, code: null } }),
    close: (end) =>
      frame(chunk(model, [choice({}, end.finish)])) +
      frame({ ...chunk(model, []), usage: usage(end) }) +
      'data: [DONE]\n\n',
  };
}

/** OpenAI's chat completions, which OpenRouter, the Soma SLM and many other servers speak too. */
export const openaiWire: ModelWire = {
  api: 'openai',
  keyHeader: 'authorization',
  read: (_path, body) => ({
    model: String(body['model']),
    streamed: body['stream'] === true,
    userMessages: (body['messages'] as ChatMessage[])
      .filter(({ role }) => role === 'user')
      .map(({ content }) => textOf(content)),
  }),
  stream: writeStream,
  error: (status, message) => ({
    error: {
      message,
      type: status === 429 ? 'rate_limit_exceeded' : 'error',
      param: null,
      code: null,
    },
  }),
  whole: (model, content, end) => ({
    id: 'chatcmpl-test',
    object: 'chat.completion',
    created: 0,
    model,
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: end.finish }],
    usage: usage(end),
  }),
};
