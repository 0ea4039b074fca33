/**
 * What the model server does in answer to one call, step by step.
 *
 * A `status` step answers with that error instead of a stream, so it stands first. After the last
 * step the answer ends properly, unless `drop` or `stall` came before.
 */
export type ModelStep =
  | { text: string }
  | { thinking: string }
  | { call: ModelServerCall }
  | { delay_ms: number }
  | ModelRefusal
  /** An error inside a stream that has begun. */
  | { error: string }
  /** Something that is no JSON, where the next piece should be. */
  | { malformed: true }
  /** The connection is cut. */
  | { drop: true }
  /** Nothing more comes, and the connection stays open. */
  | { stall: true }
  /** The answer ends here without the provider's closing words. */
  | { end: true }
  | { finish: 'stop' | 'length' }
  | { usage: ModelServerUsage };

/** A wish that a tool be called. With one in it, an answer ends as providers end those. */
export interface ModelServerCall {
  tool: string;
  arguments: object;
}

/** An HTTP error in the provider's own shape. */
export interface ModelRefusal {
  status: number;
  retry_after_s?: number;
  /** By default one that repeats the caller's key, as careless providers do. */
  message?: string;
}

/** What the server says that a call cost. */
export interface ModelServerUsage {
  input_tokens: number;
  output_tokens: number;
  cached_input_tokens: number;
}

/** The steps of one answer. */
export type ModelScript = readonly ModelStep[];

/** The wire format in which a call came. */
export type ModelApi = 'openai' | 'anthropic' | 'gemini';

/** One call as the server got it. */
export interface RecordedCall {
  api: ModelApi;
  model: string;
  streamed: boolean;
  /** The last message of the user. */
  message: string;
  /** The whole body, as it was sent. */
  body: Record<string, unknown>;
  /** How the call stands: an aborted one was given up by the caller. */
  state: 'open' | 'answered' | 'aborted';
}

const ONE_SCRIPT = /^!script (\[.*\])/s;
const SCRIPTS_IN_TURN = /^!attempts (\[\[.*\]\])/s;

/**
 * The script that the messages of the user ask for.
 *
 * `!script [steps]` in the last message is the answer to that message. `!attempts [[steps], …]` in
 * any message is used up: the first call that carries it gets the first script, and so on. Later
 * calls, and calls without either, get an echo.
 *
 * @param earlier - How many calls carried a message before this one.
 */
export function chooseScript(
  userMessages: readonly string[],
  earlier: (message: string) => number,
): ModelScript {
  for (const message of userMessages) {
    const attempts = parse(SCRIPTS_IN_TURN, message) as ModelScript[] | undefined;
    const script = attempts?.[earlier(message)];
    if (script !== undefined) {
      return script;
    }
  }
  const last = userMessages.at(-1) ?? '';
  return (parse(ONE_SCRIPT, last) as ModelScript | undefined) ?? echo(last);
}

/** An answer that depends on nothing but the message, one word a piece. */
function echo(message: string): ModelScript {
  const words = `You said: ${message}`.match(/\S+\s*/gu) ?? [];
  return words.map((text) => ({ text }));
}

/** What an answer costs when its script does not say: about four characters a token. */
export function usageOf(message: string, script: ModelScript): ModelServerUsage {
  const scripted = script.find((step) => 'usage' in step);
  const answer = script.reduce(
    (length, step) => length + ('text' in step ? step.text.length : 0),
    0,
  );
  return (
    scripted?.usage ?? {
      input_tokens: Math.ceil(message.length / 4),
      output_tokens: Math.ceil(answer / 4),
      cached_input_tokens: 0,
    }
  );
}

function parse(directive: RegExp, message: string): unknown {
  const json = directive.exec(message)?.[1];
  return json === undefined ? undefined : JSON.parse(json);
}
