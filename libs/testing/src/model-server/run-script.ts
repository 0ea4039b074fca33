import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { ModelRefusal, ModelScript, ModelStep } from './script.ts';
import type { AnswerEnd, ModelWire, StreamWriter } from './wire.ts';

/** One answer that is to be given. */
export interface Answer {
  wire: ModelWire;
  model: string;
  streamed: boolean;
  script: ModelScript;
  end: AnswerEnd;
  /** The key that the caller sent. A careless provider repeats it, so errors here do. */
  key: string;
  /** Fires when the caller has gone. */
  signal: AbortSignal;
}

/** Gives an answer by its script, as a stream or whole. */
export async function giveAnswer(response: ServerResponse, answer: Answer): Promise<void> {
  const refusal = answer.script.find((step) => 'status' in step);
  if (refusal) {
    refuse(response, answer, refusal);
  } else if (answer.streamed) {
    await stream(response, answer);
  } else {
    await whole(response, answer);
  }
}

function refuse(
  response: ServerResponse,
  { wire, key }: Answer,
  { status, retry_after_s, message = `Refused for the key ${key}.` }: ModelRefusal,
): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    ...(retry_after_s !== undefined && { 'retry-after': String(retry_after_s) }),
  });
  response.end(JSON.stringify(wire.error(status, message)));
}

async function whole(response: ServerResponse, answer: Answer): Promise<void> {
  const { wire, model, script, end } = answer;
  for (const step of script) {
    await pause(step, answer.signal);
    if ('drop' in step) {
      response.destroy();
      return;
    }
  }
  const text = script.map((step) => ('text' in step ? step.text : '')).join('');
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(wire.whole(model, text, end)));
}

async function stream(response: ServerResponse, answer: Answer): Promise<void> {
  const { wire, model, script, end, signal } = answer;
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  const writer = wire.stream(model);
  response.write(writer.open());
  for (const step of script) {
    await pause(step, signal);
    if ('end' in step) {
      response.end();
      return;
    }
    if ('drop' in step) {
      await cut(response);
      return;
    }
    response.write(written(writer, step));
  }
  response.end(writer.close(end));
}

async function pause(step: ModelStep, signal: AbortSignal): Promise<void> {
  if ('delay_ms' in step) {
    await delay(step.delay_ms, undefined, { signal });
  } else if ('stall' in step) {
    await new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        reject(new Error('the caller has gone'));
      });
    });
  }
}

/** What was written arrives; only then does the connection break. */
async function cut(response: ServerResponse): Promise<void> {
  await new Promise((resolve) => response.write(': cut\n\n', resolve));
  response.destroy();
}

function written(writer: StreamWriter, step: ModelStep): string {
  if ('text' in step) {
    return writer.text(step.text);
  }
  if ('thinking' in step) {
    return writer.thinking(step.thinking);
  }
  if ('call' in step) {
    return writer.call(step.call);
  }
  if ('error' in step) {
    return writer.error(step.error);
  }
  return 'malformed' in step ? 'data: {"this is": not JSON\n\n' : '';
}
