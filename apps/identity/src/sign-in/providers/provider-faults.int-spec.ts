import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret } from '@soma/kernel';
import { renderMetrics } from '@soma/observability';
import { startHttpServer, type HttpServer } from '@soma/testing';
import type { ProviderAnswer, ProviderName } from './identity-provider.ts';
import { IdentityProviders } from './identity-providers.ts';
import { PROVIDER_PATIENCE } from './provider-requests.ts';

/** How a server fails: it says nothing, ends the connection, or says that it failed. */
const FAULTS = ['hangs', 'resets', 500, 503] as const;
type Fault = (typeof FAULTS)[number];

/** A provider on a socket: it answers well, but for the paths that fail. */
class FaultyProvider implements AsyncDisposable {
  readonly faults = new Map<string, Fault>();
  /** How often each path was asked for. */
  readonly asked: Record<string, number> = {};
  private readonly keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  private server: HttpServer | undefined;
  url = '';

  async start(): Promise<this> {
    this.server = await startHttpServer((request, response) => {
      this.answer(request, response);
    });
    this.url = this.server.url;
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server?.[Symbol.asyncDispose]();
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '';
    this.asked[path] = (this.asked[path] ?? 0) + 1;
    const fault = this.faults.get(path);
    if (fault === 'hangs') return;
    if (fault === 'resets') {
      request.socket.resetAndDestroy();
      return;
    }
    response.writeHead(fault ?? 200, { 'content-type': 'application/json' });
    response.end(fault === undefined ? JSON.stringify(this.good(path)) : '');
  }

  private good(path: string): unknown {
    const key = { ...this.keys.publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'ES256' };
    switch (path) {
      case '/token':
        return { access_token: 'at', token_type: 'bearer', id_token: this.idToken() };
      case '/user':
        return { id: 7, login: 'octocat', name: 'Ann' };
      case '/emails':
        return [{ email: 'ann@example.com', primary: true, verified: true }];
      default:
        return { keys: [key] };
    }
  }

  private idToken(): string {
    const now = Math.floor(Date.now() / 1000);
    const person = { sub: '7', email: 'ann@example.com', email_verified: true, nonce: 'n' };
    const claims = { iss: this.url, aud: 'client', iat: now, exp: now + 60, ...person };
    const input = [{ alg: 'ES256', kid: 'k' }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    const key = { key: this.keys.privateKey, dsaEncoding: 'ieee-p1363' } as const;
    return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`;
  }
}

describe('a provider that fails', () => {
  let server: FaultyProvider;
  let providers: IdentityProviders;

  beforeEach(async () => {
    server = await new FaultyProvider().start();
    const { url } = server;
    const openId = { issuer: url, authorization: url, token: `${url}/token`, keys: `${url}/keys` };
    const secret = new Secret(randomUUID());
    const settings = {
      ...{ GITHUB_CLIENT_ID: 'client', GITHUB_CLIENT_SECRET: secret },
      ...{ GOOGLE_CLIENT_ID: 'client', GOOGLE_CLIENT_SECRET: secret },
    };
    providers = new IdentityProviders(settings, {
      publicUrl: 'https://id.example.com',
      endpoints: {
        github: { ...openId, user: `${url}/user`, emails: `${url}/emails` },
        ...{ google: openId, apple: openId, microsoft: () => openId },
      },
      // Also the answers that come must come in time, on a busy machine.
      patience: { ...PROVIDER_PATIENCE, timeoutMs: 1_500 },
    });
  });
  afterEach(() => server[Symbol.asyncDispose]());

  const identify = (name: ProviderName) => {
    const provider = providers.find(name);
    if (provider === undefined) throw new Error(name);
    const answer: ProviderAnswer = {
      ...{ code: 'c', nonce: 'n', codeVerifier: 'v', displayName: undefined },
    };
    return providers.identify(provider, answer);
  };

  it('is given 10 seconds for an answer, and three tries', () => {
    expect(PROVIDER_PATIENCE).toEqual({ timeoutMs: 10_000, attempts: 3 });
  });

  it('is none that answers', async () => {
    await expect(identify('github')).resolves.toMatchObject({ subject: '7' });
    await expect(identify('google')).resolves.toMatchObject({ subject: '7' });
  });

  it.each(FAULTS)('is asked three times for the person, when it %s', async (fault) => {
    server.faults.set('/user', fault);

    await expect(identify('github')).rejects.toThrow('GET');
    expect(server.asked).toEqual({ '/token': 1, '/user': 3 });
  });

  it.each(FAULTS)('is asked three times for its keys, when it %s', async (fault) => {
    server.faults.set('/keys', fault);

    await expect(identify('google')).rejects.toThrow('GET');
    expect(server.asked).toEqual({ '/token': 1, '/keys': 3 });
  });

  it.each([
    ['hangs', 1],
    ['resets', 1],
    [500, 1],
    [503, 3],
  ] as const)(
    'gets a code again only when it had no effect: when it %s, %d in all',
    async (fault, times) => {
      for (const name of ['github', 'google'] as const) {
        server.asked['/token'] = 0;
        server.faults.set('/token', fault);

        await expect(identify(name)).rejects.toThrow('POST');
        expect(server.asked).toEqual({ '/token': times });
      }
    },
  );

  it('succeeds at the last try', async () => {
    server.faults.set('/user', 500);
    const person = identify('github');
    while ((server.asked['/user'] ?? 0) < 2) await new Promise(setImmediate);
    server.faults.clear();

    await expect(person).resolves.toMatchObject({ subject: '7' });
  });

  it('is left alone after five failures in a row, and no other with it', async () => {
    server.faults.set('/token', 500);
    for (let failure = 0; failure < 5; failure++) {
      await expect(identify('github')).rejects.toThrow('POST');
    }
    const asked = server.asked['/token'];

    await expect(identify('github')).rejects.toThrow('sign-in-github, which has failed repeatedly');
    expect(server.asked['/token']).toBe(asked);
    server.faults.clear();
    await expect(identify('google')).resolves.toMatchObject({ subject: '7' });
    const metrics = await renderMetrics();
    expect(metrics).toContain('soma_circuit_state{circuit="sign-in-github",state="open"} 1');
    expect(metrics).not.toContain('circuit="sign-in-google",state="open"} 1');
  });

  it('is not one that refuses what people bring', async () => {
    server.faults.set('/token', 'hangs');
    for (let failure = 0; failure < 4; failure++) {
      await expect(identify('github')).rejects.toThrow('POST');
    }
    server.faults.clear();
    const answer = { code: 'c', nonce: 'another', codeVerifier: 'v', displayName: undefined };
    const google = providers.find('google');
    for (let refusal = 0; refusal < 6; refusal++) {
      await expect(google && providers.identify(google, answer)).rejects.toMatchObject({
        reason: 'token_invalid',
      });
    }

    await expect(identify('google')).resolves.toMatchObject({ subject: '7' });
    await expect(identify('github')).resolves.toMatchObject({ subject: '7' });
  });
});
