import type { ToolCall, ToolOutcome } from '@soma/contracts';
import type { FieldProblem } from '@soma/kernel';

/** One message of a conversation. */
export interface ModelMessage {
  role: 'user' | 'assistant';
  content: string;
}

/** How a model samples, as far as it lets callers decide. */
export interface ModelParameters {
  temperature?: number | undefined;
  topP?: number | undefined;
  topK?: number | undefined;
  /** The longest answer, in tokens. */
  maxTokens?: number | undefined;
}

/** A JSON Schema (2020-12) for an answer. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** A tool that a model may ask for. */
export interface ModelTool {
  /** What every provider takes: at most 64 letters, digits, `_` and `-`. */
  name: string;
  description: string;
  /** Of its arguments, which are an object. */
  inputSchema: JsonSchema;
}

/** A model's wish that a tool be called. */
export interface ModelToolCall extends Pick<ToolCall, 'tool' | 'arguments'> {
  /** What the provider wants to see again beside the call. */
  provider_options?: ToolCall['arguments'];
}

/** A call with what came of it, as a model is told of both. */
export type AnsweredCall = ModelToolCall & Pick<ToolOutcome, 'call_id' | 'status' | 'output'>;

/** What a model has said already in answer to the messages: it asked for tools, or has to correct itself. */
export type ModelStep =
  | { text: string; calls: readonly AnsweredCall[] }
  | { text: string; issues: readonly FieldProblem[] };

/** What can be done with a conversation besides answering its last message. */
export type ModelTask = 'summarize' | 'next_steps' | 'status_report';

/** What a model is asked. */
export interface ModelRequest extends ModelParameters {
  /** Whose own key is used where the tenant has one. Default: the operator's. */
  tenantId?: string | undefined;
  system: string;
  /** A summary of what was said before the messages. */
  earlier?: string | undefined;
  messages: readonly ModelMessage[];
  /** A model asked for by name. It answers, or the request fails: it is never swapped. */
  model?: string | undefined;
  /** Work on the messages as a whole, in place of an answer to the last one. */
  task?: ModelTask | undefined;
  /** What was said since the last message. A model that cannot call tools passes over it. */
  steps?: readonly ModelStep[] | undefined;
  /** What it may ask for. */
  tools?: readonly ModelTool[] | undefined;
  /** The answer is to be JSON that is valid by this schema; see {@link compileOutputSchema}. */
  outputSchema?: JsonSchema | undefined;
  signal: AbortSignal;
}

/** What a call cost. */
export interface ModelUsage {
  input_tokens: number;
  output_tokens: number;
  /** Those of the input tokens that the provider had cached. */
  cached_input_tokens: number;
  /** The provider did not say, so the tokens were estimated from the text. */
  estimated?: true;
}

/** A call's last event. */
export interface ModelFinish {
  type: 'finish';
  finish_reason: 'stop' | 'length' | 'content_filter' | 'other';
  usage: ModelUsage;
  /** Parameters that this model does not take and that were therefore not sent. */
  omitted_parameters: readonly ParameterName[];
}

/** A parameter's name on our wire. */
export type ParameterName = 'temperature' | 'top_p' | 'top_k' | 'max_tokens';

/** What a call yields: pieces and wishes for tools, and at the end exactly one `finish`. */
export type ModelEvent =
  | { type: 'thinking' | 'text'; text: string }
  | { type: 'tool_call'; call: ModelToolCall }
  | ModelFinish;
