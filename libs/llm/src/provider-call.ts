import type { Secret } from '@soma/kernel';
import { ModelFailure, toModelFailure } from './model-failure.ts';
import type { ModelEvent, ModelFinish, ModelRequest, ModelUsage } from './model-request.ts';
import { ModelText } from './model-text.ts';
import type { KeyedProviderName, ModelCard } from './models.ts';
import type { SentParameters } from './parameters.ts';
import { promptOf } from './prompt.ts';
import type { ProviderModel } from './providers.ts';
import { toToolCall } from './tool-call.ts';
import { estimateUsage } from './usage.ts';

/** One call to a provider. */
export interface ProviderCall {
  provider: KeyedProviderName;
  key: Secret;
  card: ModelCard;
  model: ProviderModel;
  request: ModelRequest;
  sent: SentParameters;
  idleLimitMs: number;
}

type CallOptions = Parameters<ProviderModel['doStream']>[0];
type StreamResult = Awaited<ReturnType<ProviderModel['doStream']>>;
type Part = StreamResult['stream'] extends ReadableStream<infer Each> ? Each : never;
type ProviderFinish = Extract<Part, { type: 'finish' }>;

/**
 * Calls a provider and yields what it says, cleaned.
 *
 * The call is given up when the request's signal fires, when the consumer stops reading, and when
 * the provider has been silent for the idle limit; each closes the connection.
 *
 * @throws {@link ModelFailure}, or the signal's reason.
 */
export async function* callProvider(call: ProviderCall): AsyncGenerator<ModelEvent> {
  const hangUp = new AbortController();
  const signal = AbortSignal.any([call.request.signal, hangUp.signal]);
  try {
    const { stream } = await patient(call, () => call.model.doStream(callOptions(call, signal)));
    yield* read(call, stream.getReader());
  } catch (error) {
    call.request.signal.throwIfAborted();
    throw toModelFailure(error, call);
  } finally {
    hangUp.abort();
  }
}

/** What has come of an answer so far. */
interface Answer {
  thinking: ModelText;
  text: ModelText;
  whole: string;
}

async function* read(
  call: ProviderCall,
  reader: ReadableStreamDefaultReader<Part>,
): AsyncGenerator<ModelEvent> {
  const answer: Answer = { thinking: new ModelText(), text: new ModelText(), whole: '' };
  for (;;) {
    const { value: part, done } = await patient(call, () => reader.read());
    if (done) {
      throw new ModelFailure({ provider: call.provider, code: 'answer_cut_short' });
    }
    yield* eventsOf(part, answer, call);
    if (part.type === 'finish') {
      return;
    }
  }
}

function eventsOf(part: Part, answer: Answer, call: ProviderCall): ModelEvent[] {
  switch (part.type) {
    case 'reasoning-delta':
      return piece('thinking', answer.thinking.push(part.delta));
    case 'text-delta':
      answer.whole += part.delta;
      return piece('text', answer.text.push(part.delta));
    case 'tool-call':
      return [{ type: 'tool_call', call: toToolCall(part, call.provider) }];
    case 'error':
      throw part.error;
    case 'finish':
      return [
        ...piece('thinking', answer.thinking.flush()),
        ...piece('text', answer.text.flush()),
        finishOf(call, part, answer.whole),
      ];
    default:
      return [];
  }
}

function piece(type: 'thinking' | 'text', text: string): ModelEvent[] {
  return text === '' ? [] : [{ type, text }];
}

/** Waits for the provider, but only for so long; time that the consumer takes does not count. */
async function patient<Value>(
  { provider, idleLimitMs }: ProviderCall,
  wait: () => PromiseLike<Value>,
): Promise<Value> {
  const { promise: silence, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new ModelFailure({ provider, code: 'timed_out' }));
  }, idleLimitMs);
  try {
    return await Promise.race([wait(), silence]);
  } finally {
    clearTimeout(timer);
  }
}

function callOptions({ provider, request, sent }: ProviderCall, signal: AbortSignal): CallOptions {
  const { temperature, topP, topK, maxTokens } = sent.parameters;
  return {
    prompt: promptOf(request),
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { topP }),
    ...(topK !== undefined && { topK }),
    ...(maxTokens !== undefined && { maxOutputTokens: maxTokens }),
    ...formOf(request),
    // Strict mode takes a small part of JSON Schema and refuses the rest; we validate ourselves.
    providerOptions: { [provider]: { strictJsonSchema: false } },
    abortSignal: signal,
  };
}

/**
 * What the answer may be besides free text. Some providers refuse tools beside a form; then the form
 * stands in the instructions alone.
 */
function formOf({ tools = [], outputSchema: schema }: ModelRequest): Partial<CallOptions> {
  if (tools.length > 0) {
    return {
      tools: tools.map(({ name, description, inputSchema }) => ({
        ...{ type: 'function' as const, name, description, inputSchema },
      })),
    };
  }
  return schema ? { responseFormat: { type: 'json', schema } } : {};
}

function finishOf(call: ProviderCall, part: ProviderFinish, answer: string): ModelFinish {
  return {
    type: 'finish',
    finish_reason: finishReason(call.provider, part.finishReason.unified),
    usage: usageOf(part.usage) ?? estimateUsage(call.request, answer),
    omitted_parameters: call.sent.omitted,
  };
}

function finishReason(
  provider: KeyedProviderName,
  reason: ProviderFinish['finishReason']['unified'],
): ModelFinish['finish_reason'] {
  switch (reason) {
    case 'stop':
    case 'length':
    case 'other':
      return reason;
    case 'content-filter':
      return 'content_filter';
    case 'tool-calls':
      return 'other';
    case 'error':
    case 'interrupted':
      throw new ModelFailure({ provider, code: 'answer_cut_short' });
  }
}

function usageOf({ inputTokens, outputTokens }: ProviderFinish['usage']): ModelUsage | undefined {
  return inputTokens.total === undefined || outputTokens.total === undefined
    ? undefined
    : {
        input_tokens: inputTokens.total,
        output_tokens: outputTokens.total,
        cached_input_tokens: inputTokens.cacheRead ?? 0,
      };
}
