import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { loadConfig, Secret, TransientError } from '@soma/kernel';
import { type ModelScript, startModelServer, type TestModelServer } from '@soma/testing';
import { z } from 'zod';
import type { KeySource } from './key-source.ts';
import type { Model } from './model-catalog.ts';
import { ModelFailure } from './model-failure.ts';
import type { ModelFinish, ModelRequest } from './model-request.ts';
import { ModelRouter } from './model-router.ts';
import { llmSettings } from './settings.ts';

const NOW = new Date('2027-02-01T00:00:00Z');

let server: TestModelServer;

beforeAll(async () => {
  server = await startModelServer();
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

describe('The router, calling', () => {
  it('leaves out what a model that nobody named does not take, and says so', async () => {
    const finish = await callFirst(openai(), { temperature: 0.5, topK: 5 });

    expect(finish.omitted_parameters).toEqual(['temperature', 'top_k']);
    expect(server.calls.at(-1)?.body).not.toHaveProperty('temperature');
    expect(server.calls.at(-1)?.model).toBe('gpt-6-luna');
  });

  it('asks Anthropic for 6000 tokens and others for 4096 where nobody says', async () => {
    await callFirst(openai());
    expect(JSON.stringify(server.calls.at(-1)?.body)).toContain(':4096');

    await callFirst(routerOf({ ANTHROPIC_API_KEY: 'k', ANTHROPIC_BASE_URL: server.url }));
    expect(server.calls.at(-1)?.body).toMatchObject({ max_tokens: 6000 });
  });

  it('puts a provider that is on trial after failures behind the others', async () => {
    const router = routerOf({
      OPENAI_API_KEY: 'k',
      OPENAI_BASE_URL: server.url,
      SLM_API_KEY: 'k',
      SLM_BASE_URL: server.url,
    });
    for (let failed = 0; failed < 5; failed++) {
      await expect(callFirst(router, {}, [{ status: 500 }])).rejects.toThrow(ModelFailure);
    }
    expect(router.candidates({}).map(({ provider }) => provider)).toEqual(['openai', 'slm']);

    const later = Date.now() + 31_000;
    const clock = jest.spyOn(Date, 'now').mockReturnValue(later);
    server.script(() => [{ text: 'Well' }, { stall: true }]);
    const trial = router.startCall(firstOf(router), requestOf());
    await trial.next();
    clock.mockRestore();

    expect(router.breakers[0]?.state).toBe('half_open');
    expect(router.candidates({}).map(({ provider }) => provider)).toEqual(['slm', 'openai']);
    await trial.return(undefined);
  });

  describe('where tenants have keys of their own', () => {
    const sent: (string | null)[] = [];
    const record: typeof fetch = (input, init) => {
      sent.push(new Headers(init?.headers).get('authorization'));
      return fetch(input, init);
    };
    const routerWith = (find: KeySource['find'], settings = {}): ModelRouter =>
      routerOf({ OPENAI_CONNECTION_NAME: 'models', ...settings }, { find });

    beforeEach(() => {
      sent.length = 0;
    });

    it('uses that of the tenant, and the own key for who has none', async () => {
      const asked: string[] = [];
      const router = routerWith(
        (tenantId, name) => {
          asked.push(`${tenantId} ${name}`);
          const access = { key: new Secret('theirs'), baseUrl: server.url, fetch: record };
          return Promise.resolve(tenantId === 'acme' ? access : undefined);
        },
        { OPENAI_API_KEY: 'ours', OPENAI_BASE_URL: server.url },
      );
      await callFirst(router, { tenantId: 'acme' });
      await callFirst(router, { tenantId: 'globex' });

      expect(asked).toEqual(['acme models', 'globex models']);
      expect(sent).toEqual(['Bearer theirs']);
    });

    it('says that there is no key, where there is neither', async () => {
      const call = callFirst(
        routerWith(() => Promise.resolve(undefined)),
        { tenantId: 'acme' },
      );

      await expect(call).rejects.toMatchObject({ code: 'key_missing' });
    });

    it('can try again when the key cannot be had', async () => {
      const call = callFirst(
        routerWith(() => Promise.reject(new Error('away'))),
        { tenantId: 'acme' },
      );

      await expect(call).rejects.toMatchObject({ code: 'key_unavailable', retryable: true });
    });

    it('passes on when to come again, where the connection is used as much as it may be', async () => {
      const busy = new TransientError('A turn at the connection', { retryAfterMs: 7_000 });
      const access = {
        key: new Secret('theirs'),
        baseUrl: server.url,
        fetch: () => Promise.reject(busy),
      };
      const call = callFirst(
        routerWith(() => Promise.resolve(access)),
        { tenantId: 'acme' },
      );

      await expect(call).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs: 7_000 });
    });

    it('leaves nobody alone because of one tenant’s address', async () => {
      const dead = { key: new Secret('theirs'), baseUrl: 'http://127.0.0.1:1' };
      const router = routerWith(() => Promise.resolve(dead), { OPENAI_API_KEY: 'ours' });
      for (let failed = 0; failed < 6; failed++) {
        const call = callFirst(router, { tenantId: 'acme' });
        await expect(call).rejects.toMatchObject({ code: 'provider_unreachable' });
      }

      expect(router.breakers[0]?.state).toBe('closed');
    });
  });

  it('has the small model of the SLM summarise', async () => {
    server.script(() => [{ text: 'A short summary.' }]);
    const messages = [{ role: 'user' as const, content: 'A long story.' }];

    const summary = await slm().summarise(messages, { signal: signal(), earlier: 'It began.' });

    expect(summary).toMatchObject({
      text: 'A short summary.',
      model: 'slm/soma-slm-utility',
      usages: [{ output_tokens: expect.any(Number) }],
    });
    expect(server.calls.at(-1)?.model).toBe('soma-slm-utility');
    expect(server.calls.at(-1)?.message).toMatch(/It began\.[^]*A long story\./);
  });

  it('summarises by itself when the small model fails', async () => {
    server.script(() => [{ status: 500 }]);
    const messages = [{ role: 'user' as const, content: 'The launch is on Friday.' }];

    const summary = await slm().summarise(messages, { signal: signal(), earlier: 'Ada leads it.' });

    expect(summary.text).toContain('on Friday');
    expect(summary.text).toContain('Ada leads it.');
    expect(summary.usages).toEqual([]);
  });
});

function openai(): ModelRouter {
  return routerOf({ OPENAI_API_KEY: 'k', OPENAI_BASE_URL: server.url });
}

function slm(): ModelRouter {
  return routerOf({ SLM_API_KEY: 'k', SLM_BASE_URL: server.url });
}

function routerOf(environment: Record<string, string>, keys: KeySource | null = null): ModelRouter {
  const settings = loadConfig(z.object(llmSettings), environment);
  return new ModelRouter(settings, { now: () => NOW, keys });
}

function signal(): AbortSignal {
  return new AbortController().signal;
}

function firstOf(router: ModelRouter): Model {
  const [model] = router.candidates({});
  if (!model) {
    throw new Error('no model can be called');
  }
  return model;
}

function requestOf(parameters: Partial<ModelRequest> = {}): ModelRequest {
  return {
    system: '',
    messages: [{ role: 'user', content: 'Hello' }],
    signal: signal(),
    ...parameters,
  };
}

async function callFirst(
  router: ModelRouter,
  parameters: Partial<ModelRequest> = {},
  script: ModelScript = [{ text: 'ok' }],
): Promise<ModelFinish> {
  server.script(() => script);
  let finish: ModelFinish | undefined;
  for await (const event of router.startCall(firstOf(router), requestOf(parameters))) {
    finish = event.type === 'finish' ? event : finish;
  }
  if (!finish) {
    throw new Error('the call did not finish');
  }
  return finish;
}
