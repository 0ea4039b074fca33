import { describe, expect, it } from '@jest/globals';
import { authorizationUrl, readReturn, ReturnError } from './authorization-url.ts';
import type { OAuthClient } from './oauth-client.ts';

function aClient(
  change: Partial<OAuthClient> = {},
): OAuthClient & { authorization_endpoint: string } {
  return {
    provider: null,
    issuer: null,
    sends_issuer: false,
    token_endpoint: 'https://idp.example/token',
    device_authorization_endpoint: null,
    revocation_endpoint: null,
    client_id: 'soma',
    authentication: 'none',
    scopes: ['a', 'b'],
    resource: null,
    audience: null,
    has_pkce: true,
    registered_for: null,
    bound_to: null,
    ...change,
    authorization_endpoint: change.authorization_endpoint ?? 'https://idp.example/auth?x=1',
  };
}

const CODE = 'code=c&state=the-state';

const attempt = {
  state: 'the-state',
  codeVerifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
  redirectUri: 'https://soma.example/api/v1/oauth/callback',
};

describe('authorizationUrl', () => {
  const parametersOf = (client: Parameters<typeof authorizationUrl>[0]): object =>
    Object.fromEntries(new URL(authorizationUrl(client, attempt)).searchParams);

  it('asks for a code with PKCE, and keeps what the endpoint has', () => {
    expect(parametersOf(aClient())).toEqual({
      x: '1',
      response_type: 'code',
      client_id: 'soma',
      redirect_uri: attempt.redirectUri,
      state: 'the-state',
      scope: 'a b',
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
    });
  });

  it('says whom the token is for (RFC 8707)', () => {
    expect(parametersOf(aClient({ resource: 'https://mcp.example/' }))).toMatchObject({
      resource: 'https://mcp.example/',
    });
  });

  it('does as the provider wants it', () => {
    expect(parametersOf(aClient({ provider: 'google' }))).toMatchObject({
      access_type: 'offline',
      prompt: 'consent',
    });
    const slack = parametersOf(aClient({ provider: 'slack', has_pkce: false }));
    expect(slack).toMatchObject({ scope: 'a,b' });
    expect(slack).not.toHaveProperty('code_challenge');
  });
});

describe('readReturn', () => {
  const read = (client: OAuthClient, query: string): URLSearchParams | string => {
    try {
      return readReturn(client, new URLSearchParams(query), 'the-state');
    } catch (error) {
      return error instanceof ReturnError ? (error.error ?? error.fault) : String(error);
    }
  };
  const known = aClient({ issuer: 'https://idp.example', sends_issuer: true });

  it.each([
    ['from the issuer', 'code=c&state=the-state&iss=https%3A%2F%2Fidp.example', known],
    ['from one that does not say', 'code=c&state=the-state', aClient()],
    ['from the origin of endpoints', `${CODE}&iss=https://idp.example/x`, aClient()],
  ])('takes a code %s', (_name, query, client) => {
    const taken = read(client, query);

    expect(taken instanceof URLSearchParams && taken.get('code')).toBe('c');
  });

  const [right, evil] = ['&iss=https://idp.example', '&iss=https://evil.example'];
  it.each([
    { name: 'of another issuer', query: CODE + evil, fault: 'wrong_issuer' },
    { name: 'without the issuer it promised', query: CODE, fault: 'wrong_issuer' },
    { name: 'of two issuers', query: CODE + right + evil, fault: 'wrong_issuer' },
    {
      name: 'that says no for another',
      query: `error=access_denied${evil}`,
      fault: 'wrong_issuer',
    },
    { name: 'with another state', query: `code=c&state=another${right}`, fault: 'malformed' },
    { name: 'with two codes', query: `${CODE}&code=d${right}`, fault: 'malformed' },
    { name: 'without a code', query: `state=the-state${right}`, fault: 'malformed' },
    {
      name: 'that says no',
      query: `error=access_denied&state=the-state${right}`,
      fault: 'access_denied',
    },
  ])('refuses an answer $name (RFC 9207)', ({ query, fault }) => {
    expect(read(known, query)).toBe(fault);
  });

  it('refuses an answer of another origin where no issuer is known', () => {
    expect(read(aClient(), CODE + evil)).toBe('wrong_issuer');
  });
});
