import { type AnswerEnd, frame, type ModelWire, textOf } from './wire.ts';

interface Content {
  role: string;
  parts: unknown;
}

function chunk(parts: object[], end?: AnswerEnd): object {
  return {
    candidates: [
      {
        content: { role: 'model', parts },
        index: 0,
        ...(end && { finishReason: end.finish === 'length' ? 'MAX_TOKENS' : 'STOP' }),
      },
    ],
    ...(end && {
      usageMetadata: {
        promptTokenCount: end.usage.input_tokens,
        cachedContentTokenCount: end.usage.cached_input_tokens,
        candidatesTokenCount: end.usage.output_tokens,
        totalTokenCount: end.usage.input_tokens + end.usage.output_tokens,
      },
    }),
  };
}

/** Google's `models/{model}:streamGenerateContent`, which names the model in the path. */
export const geminiWire: ModelWire = {
  api: 'gemini',
  keyHeader: 'x-goog-api-key',
  read: (path, body) => ({
    model: /models\/(.+):/.exec(path)?.[1] ?? '',
    streamed: path.includes(':streamGenerateContent'),
    userMessages: (body['contents'] as Content[])
      .filter(({ role }) => role === 'user')
      .map(({ parts }) => textOf(parts)),
  }),
  stream: () => ({
    open: () => '',
    text: (text) => frame(chunk([{ text }])),
    thinking: (text) => frame(chunk([{ text, thought: true }])),
    call: ({ tool: name, arguments: args }) => frame(chunk([{ functionCall: { name, args } }])),
    error: (message) => frame({ error: { code: 503, message, status: 'UNAVAILABLE' } }),
    close: (end) => frame(chunk([{ text: '' }], end)),
  }),
  error: (status, message) => ({
    error: { code: status, message, status: status === 429 ? 'RESOURCE_EXHAUSTED' : 'UNKNOWN' },
  }),
  whole: (_model, text, end) => chunk([{ text }], end),
};
