import { until } from '../until.ts';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { startModelServer, type TestModelServer } from './model-server.ts';

let server: TestModelServer;

beforeAll(async () => {
  server = await startModelServer();
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

describe('The model server', () => {
  it('echoes a message without a script', async () => {
    expect(await answerTo('Hello there')).toBe('You said: Hello there');
  });

  it('does what the last message says', async () => {
    expect(await answerTo('!script [{"text":"a"},{"delay_ms":1},{"text":"b"}]')).toBe('ab');
  });

  it('uses up the scripts of a message, call by call', async () => {
    const message = '!attempts [[{"text":"not JSON"}],[{"text":"{}"}]]';

    expect(await answerTo(message)).toBe('not JSON');
    expect(await answerTo(message, 'Answer again.')).toBe('{}');
    expect(await answerTo(message, 'And now?')).toBe('You said: And now?');
  });

  it('refuses a call with a status when it is told to', async () => {
    const response = await call('!script [{"status":429,"retry_after_s":3}]');

    expect(response.status).toBe(429);
    expect(response.headers.get('retry-after')).toBe('3');
  });

  it('streams nothing after a cut', async () => {
    const response = await call('!script [{"text":"a"},{"drop":true},{"text":"b"}]', true);

    await expect(response.text()).rejects.toThrow();
  });

  it('keeps every call, and how it ended', async () => {
    await answerTo('Count me');
    const last = server.calls.at(-1);

    expect(last).toMatchObject({ api: 'openai', model: 'test-chat', message: 'Count me' });
    // The server learns a little later than the caller that all has arrived.
    await until(() => last?.state === 'answered');
  });

  it('gives the same vector for the same text', async () => {
    const [one, same, other] = await Promise.all(['a', 'a', 'b'].map(vectorOf));

    expect(one).toEqual(same);
    expect(one).not.toEqual(other);
  });

  it('lists its models', async () => {
    const response = await fetch(`${server.url}/models`);

    expect(await response.json()).toMatchObject({ data: [{ id: 'test-chat' }, {}, {}] });
  });

  it('runs as a process of its own', async () => {
    const program = new URL('main.ts', import.meta.url).pathname;
    const child = spawn('node', [program], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [url] = (await once(createInterface(child.stdout), 'line')) as [string];

      expect((await fetch(`${url}/test/calls`)).status).toBe(200);
    } finally {
      child.kill();
    }
  });
});

async function call(message: string, stream = false): Promise<Response> {
  return post('chat/completions', { stream, messages: [{ role: 'user', content: message }] });
}

async function answerTo(...messages: string[]): Promise<string | undefined> {
  const response = await post('chat/completions', {
    messages: messages.map((content) => ({ role: 'user', content })),
  });
  const { choices } = (await response.json()) as { choices: { message: { content: string } }[] };
  return choices[0]?.message.content;
}

async function vectorOf(input: string): Promise<number[] | undefined> {
  const response = await post('embeddings', { input });
  return ((await response.json()) as { data: { embedding: number[] }[] }).data[0]?.embedding;
}

async function post(path: string, body: object): Promise<Response> {
  return fetch(`${server.url}/${path}`, {
    method: 'POST',
    body: JSON.stringify({ model: 'test-chat', ...body }),
  });
}
