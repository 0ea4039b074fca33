import type { RequestListener, ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Secret, TransientError } from '@soma/kernel';
import { startHttpServer, type HttpServer } from '@soma/testing';
import { ServiceTokens } from './service-tokens.ts';

describe('ServiceTokens', () => {
  const clientSecret = new Secret('s3cret: of %gateway');
  let asked: string[] = [];
  let authorization: string | undefined;
  let tokenUrl: string;
  let answer: (response: ServerResponse, count: number) => void;
  const listener: RequestListener = (request, response) => {
    request.setEncoding('utf8').on('data', (form: string) => {
      authorization = request.headers.authorization;
      asked.push(new URLSearchParams(form).get('resource') ?? '');
      answer(response, asked.length);
    });
  };
  let server: HttpServer;

  beforeAll(async () => {
    server = await startHttpServer(listener);
    tokenUrl = `${server.url}/oauth/token`;
  });

  beforeEach(() => {
    asked = [];
    answer = (response, count) => {
      response.end(JSON.stringify({ access_token: `token-${count}`, expires_in: 900 }));
    };
  });

  afterAll(() => server[Symbol.asyncDispose]());

  const make = (): ServiceTokens =>
    new ServiceTokens({ tokenUrl, clientId: 'gateway', clientSecret });

  const advance = (seconds: number): void => {
    jest.spyOn(Date, 'now').mockReturnValue(Date.now() + seconds * 1000);
  };

  it('asks once for each audience, however many requests wait', async () => {
    const tokens = make();
    const all = await Promise.all(
      ['worker', 'worker', 'worker', 'identity'].map((audience) => tokens.tokenFor(audience)),
    );
    await tokens.tokenFor('worker');

    expect(asked.sort()).toEqual(['urn:soma:identity', 'urn:soma:worker']);
    expect(new Set(all.map((token) => token.reveal())).size).toBe(2);
    expect(authorization).toBe(`Basic ${btoa('gateway:s3cret%3A%20of%20%25gateway')}`);
  });

  it('renews a token before it ends, and bridges an identity that is down', async () => {
    const tokens = make();
    await tokens.tokenFor('worker');

    advance(730);
    expect((await tokens.tokenFor('worker')).reveal()).toBe('token-2');

    answer = (response) => response.writeHead(503).end();
    advance(800);
    expect((await tokens.tokenFor('worker')).reveal()).toBe('token-2');

    advance(200);
    await expect(tokens.tokenFor('worker')).rejects.toBeInstanceOf(TransientError);
    jest.restoreAllMocks();
  });

  it('tells a fault that may pass from one of the configuration', async () => {
    answer = (response) => response.writeHead(401).end();
    const refused: unknown = await make()
      .tokenFor('worker')
      .catch((error: unknown) => error);
    answer = (response) => response.destroy();
    const cut: unknown = await make()
      .tokenFor('worker')
      .catch((error: unknown) => error);

    expect(refused).not.toBeInstanceOf(TransientError);
    expect(String(refused)).toContain('401');
    expect(cut).toBeInstanceOf(TransientError);
  });
});
