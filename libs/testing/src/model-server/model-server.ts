import { type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { startHttpServer } from '../http-server.ts';
import { anthropicWire } from './anthropic-wire.ts';
import { geminiWire } from './gemini-wire.ts';
import { openaiWire } from './openai-wire.ts';
import { giveAnswer } from './run-script.ts';
import { chooseScript, type ModelScript, type RecordedCall, usageOf } from './script.ts';
import type { ModelWire } from './wire.ts';

/** The far side of the internet: a server that answers as model providers do, by script. */
export interface TestModelServer extends AsyncDisposable {
  /** The base URL of every provider's API, as in `<url>/chat/completions`. */
  url: string;
  /** Every call so far, the oldest first; the last ten thousand are kept. */
  calls: readonly RecordedCall[];
  /** Decides the answers instead of the directives in the messages; undefined leaves one to them. */
  script: (choose: ((call: RecordedCall) => ModelScript | undefined) | undefined) => void;
}

/** Where the server listens and which models it lists. */
export interface ModelServerOptions {
  /** A free one by default. */
  port?: number;
  models?: readonly string[];
}

const CALLS_KEPT = 10_000;
const EMBEDDING_DIMENSIONS = 8;

/** The paths below `/v1`, and the format that each speaks. */
const WIRES: readonly (readonly [RegExp, ModelWire])[] = [
  [/^\/chat\/completions$/, openaiWire],
  [/^\/messages$/, anthropicWire],
  [/^\/models\/.+:(streamG|g)enerateContent$/, geminiWire],
];

/**
 * Starts a server that speaks the chat formats of OpenAI, Anthropic and Gemini, streaming or not.
 *
 * Answers are scripted (see {@link chooseScript}); without a script a message is echoed. It also
 * tells what it was asked, at `/v1/test/calls`, for tests that run it as a process of its own.
 */
export async function startModelServer(options: ModelServerOptions = {}): Promise<TestModelServer> {
  const models = options.models ?? ['test-chat', 'test-utility', 'test-embedding'];
  const calls: RecordedCall[] = [];
  const carried = new Map<string, number>();
  let choose: ((call: RecordedCall) => ModelScript | undefined) | undefined;

  async function answerCall(wire: ModelWire, request: IncomingMessage, response: ServerResponse) {
    const body = JSON.parse(await text(request)) as Record<string, unknown>;
    const { model, streamed, userMessages: said } = wire.read(pathOf(request), body);
    // Some providers tell a model what tools have answered in messages of the user.
    const userMessages = said.filter((text) => text !== '');
    const message = userMessages.at(-1) ?? '';
    const call: RecordedCall = { api: wire.api, model, streamed, message, body, state: 'open' };
    calls.push(call);
    calls.splice(0, calls.length - CALLS_KEPT);
    const gone = new AbortController();
    response.once('close', () => {
      call.state = response.writableFinished ? 'answered' : 'aborted';
      gone.abort();
    });
    const script =
      choose?.(call) ?? chooseScript(userMessages, (earlier) => carried.get(earlier) ?? 0);
    userMessages.forEach((each) => carried.set(each, (carried.get(each) ?? 0) + 1));
    const ending = script.some((step) => 'call' in step) ? 'tool_calls' : 'stop';
    const finish = script.find((step) => 'finish' in step)?.finish ?? ending;
    await giveAnswer(response, {
      wire,
      model,
      streamed,
      script,
      end: { finish, usage: usageOf(userMessages.join('\n'), script) },
      key: String(request.headers[wire.keyHeader] ?? ''),
      signal: gone.signal,
    });
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = pathOf(request);
    const wire = WIRES.find(([pattern]) => pattern.test(path))?.[1];
    if (wire) {
      await answerCall(wire, request, response);
    } else if (path === '/models') {
      json(response, 200, { object: 'list', data: models.map((id) => ({ id, object: 'model' })) });
    } else if (path === '/embeddings') {
      json(response, 200, embeddings(JSON.parse(await text(request)) as EmbeddingsBody));
    } else if (path === '/test/calls') {
      json(response, 200, calls);
    } else {
      json(response, 404, { error: { message: `Nothing is served at ${path}.` } });
    }
  }

  const server = await startHttpServer((request, response) => {
    // A caller that goes away ends the script of its answer: nobody is left to be told.
    answer(request, response).catch(() => response.destroy());
  }, options.port);
  return {
    url: `${server.url}/v1`,
    calls,
    script: (chosen) => {
      choose = chosen;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

interface EmbeddingsBody {
  model: string;
  input: string | string[];
}

/** The same text always has the same vector, and the numbers mean nothing else. */
function embeddings({ model, input }: EmbeddingsBody): object {
  const inputs = typeof input === 'string' ? [input] : input;
  return {
    object: 'list',
    model,
    data: inputs.map((each, index) => ({ object: 'embedding', index, embedding: vectorOf(each) })),
    usage: { prompt_tokens: inputs.length, total_tokens: inputs.length },
  };
}

function vectorOf(input: string): number[] {
  const vector = new Array<number>(EMBEDDING_DIMENSIONS).fill(0);
  for (let at = 0; at < input.length; at++) {
    const dimension = input.charCodeAt(at) % EMBEDDING_DIMENSIONS;
    vector[dimension] = (vector[dimension] ?? 0) + 1;
  }
  const length = Math.hypot(...vector) || 1;
  return vector.map((each) => each / length);
}

function pathOf({ url = '' }: IncomingMessage): string {
  return decodeURIComponent(url.replace(/^\/v1/, '').replace(/\?.*/, ''));
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
