import { describe, expect, it } from '@jest/globals';
import { TransientError } from '@soma/kernel';
import { providerOf, type ProviderName, quirksOf } from './provider-quirks.ts';
import { type Answer, standardAnswer } from './token-answer.ts';

function read(
  body: unknown,
  provider: ProviderName | null = null,
  change: Partial<Answer> = {},
): { status: number; body: Record<string, unknown> } {
  const answer: Answer = {
    ...{ status: 200, contentType: 'application/json', retryAfter: null },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...change,
  };
  return standardAnswer(answer, quirksOf(provider), 'POST https://provider.example/token');
}

describe('standardAnswer', () => {
  it('leaves a standard answer as it is, without the ID token that nobody reads', () => {
    const tokens = { access_token: 'a', token_type: 'Bearer', expires_in: 3600, scope: 'x y' };

    expect(read({ ...tokens, refresh_token: 'r', id_token: 'e.e.e' })).toEqual({
      status: 200,
      body: { ...tokens, refresh_token: 'r' },
    });
  });

  it('reads form encoding, as GitHub answers who does not insist on JSON', () => {
    const contentType = 'application/x-www-form-urlencoded; charset=utf-8';
    const answer = read('access_token=gho_1&scope=repo%2Cgist&token_type=bearer', 'github', {
      contentType,
    });

    expect(answer.body).toEqual({
      access_token: 'gho_1',
      scope: 'repo gist',
      token_type: 'bearer',
    });
  });

  it.each([
    ['JSON', { error: 'bad_verification_code', error_description: 'code abc' }, 'application/json'],
    ['a form', 'error=bad_verification_code', 'application/x-www-form-urlencoded'],
    ['a form that says it is text', 'error=bad_verification_code', 'text/plain'],
  ])('takes an error with status 200 in %s for one', (_form, body, contentType) => {
    expect(read(body, 'github', { contentType })).toEqual({
      status: 400,
      body: { error: 'bad_verification_code' },
    });
  });

  it("finds a person's tokens at Slack, and a bot's", () => {
    const person = {
      ok: true,
      authed_user: { id: 'U1', access_token: 'xoxp-1', token_type: 'user', scope: 'chat:write' },
    };
    const bot = { ok: true, access_token: 'xoxb-1', token_type: 'bot', authed_user: { id: 'U1' } };

    expect(read(person, 'slack').body).toMatchObject({
      access_token: 'xoxp-1',
      token_type: 'bearer',
      scope: 'chat:write',
    });
    expect(read(bot, 'slack').body).toMatchObject({ access_token: 'xoxb-1', token_type: 'bearer' });
    expect(read({ ok: false, error: 'invalid_code' }, 'slack')).toEqual({
      status: 400,
      body: { error: 'invalid_code' },
    });
    expect(read({ ok: false }, 'slack').body).toEqual({ error: 'unknown_error' });
  });

  it.each([
    [{ expires_in: '3600' }, { expires_in: 3600 }],
    [{ expires: 60.9 }, { expires_in: 60 }],
    [{ expires_in: 0 }, {}],
    [{ expires_in: null, refresh_token: null }, {}],
    [{ expires_in: 'soon' }, {}],
    [{ scope: ['a', 'b'] }, { scope: 'a b' }],
    [{ scope: '' }, { scope: '' }],
    // What PostgreSQL takes in no text, and in no date.
    [{ scope: 'a\u0000b \ud800' }, { scope: 'a b' }],
    [{ expires_in: 1e300 }, { expires_in: 315_360_000 }],
  ])('puts %j right', (given, expected) => {
    expect(read({ access_token: 'a', ...given }).body).toEqual({
      access_token: 'a',
      token_type: 'bearer',
      ...expected,
    });
  });

  it.each([
    [{ status: 503, retryAfter: '7', body: '<html>' }, 7000],
    [{ status: 429, retryAfter: null, body: '{}' }, undefined],
    [{ status: 500, retryAfter: 'nonsense', body: '{"error":"invalid_grant"}' }, undefined],
    [{ status: 400, retryAfter: null, body: '{"error":"temporarily_unavailable"}' }, undefined],
  ])('says of %j that it says nothing', (change, retryAfterMs) => {
    let error: unknown;
    try {
      read('', null, change);
    } catch (thrown) {
      error = thrown;
    }

    expect(error).toBeInstanceOf(TransientError);
    expect(error).toMatchObject({ retryAfterMs });
  });

  it.each([
    ...[408, 425, 429, 500].map((status) => [status, { error: 'invalid_grant' }, null] as const),
    ...[[400, { error: 'temporarily_unavailable' }, null] as const],
    ...['internal_error', 'fatal_error', 'service_unavailable'].map(
      (error) => [200, { ok: false, error }, 'slack'] as const,
    ),
  ])('takes %i with %j for something that passes', (status, body, provider) => {
    expect(() => read(body, provider, { status })).toThrow(TransientError);
  });

  it('lets a provider slow a device down with any status', () => {
    expect(read({ error: 'slow_down' }, null, { status: 429 }).body).toEqual({
      error: 'slow_down',
    });
  });

  it('cuts a scope that is longer than anybody needs', () => {
    const { body } = read({ access_token: 'a', scope: 'x'.repeat(10_000) });

    expect(String(body['scope'])).toHaveLength(8_192);
  });

  it('leaves out of an error what no text can hold', () => {
    expect(read({ error: 'in\u0000valid' }, null, { status: 400 }).body).toEqual({
      error: 'in valid',
    });
  });

  it('makes an error of a refusal without one', () => {
    expect(read('<html>', null, { status: 403, contentType: 'text/html' })).toEqual({
      status: 403,
      body: { error: 'http_403' },
    });
  });
});

describe('providerOf', () => {
  it.each([
    ['https://github.com/login/oauth/access_token', 'github'],
    ['https://slack.com/api/oauth.v2.access', 'slack'],
    ['https://oauth2.googleapis.com/token', 'google'],
    ['https://github.com.evil.example/token', null],
    ['https://idp.example/token', null],
  ])('knows whose %s is', (endpoint, provider) => {
    expect(providerOf(endpoint)).toBe(provider);
  });
});
