import { hash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  freePort,
  SoftwareAuthenticator,
  startTraceCollector,
  type TraceCollector,
  until,
} from '@soma/testing';
import { generateSync } from 'otplib';
import { Browser } from './browser.ts';
import { type OpenIdServer, startOpenIdServer } from './openid-server.ts';
import { expectNowhere } from './sinks.ts';
import { type Pod, startSystem, type System } from './system.ts';

const PROGRAM = join(import.meta.dirname, 'identity-with-providers.ts');
const SCOPES = [
  ...['sessions:read', 'sessions:write', 'models:read'],
  ...['api_keys:read', 'api_keys:write', 'members:write'],
];
/** Nobody is there: a browser stops before it. */
const REDIRECT_URI = 'http://127.0.0.1:9/callback';
const secretText = (): string => randomBytes(32).toString('base64url');

type Json = Record<string, unknown>;

describe('credentials', () => {
  const running = new AsyncDisposableStack();
  const [clientSecret, wrongSecret, providerSecret] = [secretText(), secretText(), secretText()];
  const masterKey = randomBytes(32).toString('base64');
  const email = `${randomUUID()}@example.com`;
  let collector: TraceCollector;
  let provider: OpenIdServer;
  let system: System;
  let gateway: Pod;
  let issuer: string;

  beforeAll(async () => {
    collector = running.use(await startTraceCollector());
    const port = await freePort();
    issuer = `http://127.0.0.1:${port}`;
    const google = { clientId: 'google-client', clientSecret: providerSecret, email };
    const redirectUri = `${issuer}/api/auth/oauth/google/callback`;
    provider = running.use(await startOpenIdServer({ ...google, redirectUri }));
    const folder = await mkdtemp(join(tmpdir(), 'soma-clients-'));
    running.defer(() => rm(folder, { recursive: true }));
    const clientsFile = join(folder, 'clients.json');
    const common = { scopes: SCOPES, audiences: ['gateway'] };
    const program = { client_id: 'agent', tenant_id: 'acme', ...common };
    const ui = { type: 'ui', client_id: 'ui', name: 'UI', redirect_uris: [REDIRECT_URI] };
    const clients = [
      { ...program, client_secret_hash: hash('sha256', clientSecret) },
      { ...ui, ...common },
    ];
    await writeFile(clientsFile, JSON.stringify(clients));
    const settings = {
      ...{ IDENTITY_CLIENTS_FILE: clientsFile, SOMA_MASTER_KEY: masterKey },
      ...{ GOOGLE_CLIENT_ID: google.clientId, GOOGLE_CLIENT_SECRET: providerSecret },
      TEST_PROVIDER_URL: provider.url,
      ADMIN_ALLOWED_CIDRS: '127.0.0.1/32',
    };
    system = await startSystem(running, {
      identity: { port, settings, program: PROGRAM },
      environment: {
        ...{ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, LOG_LEVEL: 'trace' },
        // Of each other: the gateway sends from this address, and not all of this machine does.
        TRUSTED_PROXIES: '127.0.0.1/32',
        RATE_LIMIT_API_PER_MINUTE: '100000',
      },
    });
    [gateway] = system.gateways as [Pod];
  });

  afterAll(() => running.disposeAsync());

  /** A form, sent by whom the credential names. */
  async function sendForm(
    path: string,
    form: Record<string, string>,
    credential: string,
  ): Promise<{ status: number; body: Json }> {
    const response = await fetch(gateway.url + path, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(credential)}` },
      body: new URLSearchParams(form),
    });
    return { status: response.status, body: (await response.json()) as Json };
  }

  async function obtainToken(credential: string): Promise<string> {
    const form = { grant_type: 'client_credentials' };
    const { status, body } = await sendForm('/oauth/token', form, credential);
    expect([status, body]).toEqual([200, expect.anything()]);
    return String(body['access_token']);
  }

  async function ask(token: string, path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    return fetch(gateway.url + path, { ...init, headers });
  }

  /** Sends something that is answered with 200 or 201. */
  async function post(token: string, path: string, body: object = {}): Promise<Json> {
    const answer = await ask(token, path, { method: 'POST', body: JSON.stringify(body) });
    const said = (await answer.json()) as Json;
    expect([path, answer.ok, said]).toEqual([path, true, said]);
    return said;
  }

  /** A key of a partner: made, exchanged, used, and taken back. */
  async function useKey(token: string): Promise<{ key: string; keyToken: string }> {
    const scopes = ['models:read', 'sessions:write'];
    const made = await post(token, '/v1/api-keys', { name: 'Bot', scopes });
    const { key_id, key } = made as { key_id: string; key: string };
    const keyToken = await obtainToken(`${key_id}:${key}`);
    expect((await ask(keyToken, '/v1/models')).status).toBe(200);
    // It stands where no key belongs, too.
    expect((await ask(key, '/v1/models')).status).toBe(401);

    expect((await ask(token, `/v1/api-keys/${key_id}`, { method: 'DELETE' })).status).toBe(204);

    const isRefused = async (): Promise<boolean> =>
      (await ask(keyToken, '/v1/models')).status === 401;
    await until(isRefused, 1_000);
    return { key, keyToken };
  }

  function authorizeUrl(parameters: Record<string, string>): URL {
    const url = new URL('/oauth/authorize', issuer);
    url.search = new URLSearchParams({
      ...{ client_id: 'ui', redirect_uri: REDIRECT_URI, response_type: 'code', state: 's' },
      ...{ scope: `openid ${SCOPES.join(' ')}`, code_challenge_method: 'S256' },
      ...parameters,
    }).toString();
    return url;
  }

  /** A person signs in with an account elsewhere; everything secret that came by on the way. */
  async function signIn(browser: Browser): Promise<Record<string, string>> {
    const code_verifier = secretText();
    const challenge = hash('sha256', code_verifier, 'base64url');
    const { url, page } = await browser.visit(authorizeUrl({ code_challenge: challenge }));
    expect(page).toContain('Sign in with Google');
    const end = await browser.visit(new URL(`${url.pathname}/with/google`, url));
    const code = end.url.searchParams.get('code') ?? `none: ${end.url.href} ${end.page}`;
    const form = { grant_type: 'authorization_code', client_id: 'ui', code, code_verifier };
    const answer = await browser.send(new URL('/oauth/token', issuer), {
      method: 'POST',
      body: new URLSearchParams({ ...form, redirect_uri: REDIRECT_URI }),
    });
    const { access_token, id_token } = (await answer.json()) as Record<string, string>;
    const cookies = ['oauthState', 'oauthSession', 'refreshToken'].flatMap((name) =>
      (browser.seen.get(name) ?? ['']).map((value, index) => [`${name} ${index}`, value]),
    );
    const theirs = provider.issued.flatMap((tokens, index) => [
      [`theirAccessToken ${index}`, String(tokens['access_token'])],
      [`theirIdToken ${index}`, String(tokens['id_token'])],
    ]);
    return {
      ...{ code, code_verifier, access_token: access_token ?? '', id_token: id_token ?? '' },
      ...(Object.fromEntries([...cookies, ...theirs]) as Record<string, string>),
    };
  }

  /** Sets up an app and a passkey, and uses both. */
  async function useFactors(token: string): Promise<Record<string, string>> {
    const { secret } = (await post(token, '/api/auth/mfa/totp')) as { secret: string };
    const confirmed = await post(token, '/api/auth/mfa/totp/confirm', {
      code: generateSync({ secret }),
    });
    const codes = confirmed['recovery_codes'] as string[];
    expect(codes).toHaveLength(10);
    const [used = ''] = codes;
    const byCode = await post(token, '/api/auth/mfa/verify', { code: used });
    const proven = String(byCode['access_token']);
    const key = new SoftwareAuthenticator({ origin: issuer });
    const registration = await post(proven, '/api/auth/mfa/passkeys/registration');
    const made = { name: 'Phone', response: key.create(String(registration['challenge'])) };
    await post(proven, '/api/auth/mfa/passkeys', made);
    const { challenge } = await post(proven, '/api/auth/mfa/passkeys/proof');
    const passkey = key.get(String(challenge));
    const byPasskey = await post(proven, '/api/auth/mfa/verify', { passkey });
    return {
      ...{ totpSecret: secret, byCode: proven, byPasskey: String(byPasskey['access_token']) },
      ...Object.fromEntries(codes.map((code, index) => [`recovery code ${index}`, code])),
      ...{ registrationChallenge: String(registration['challenge']), challenge: String(challenge) },
      passkeySignature: String(passkey.response['signature']),
    };
  }

  /** The person behind the account at the provider: an owner, whom the relationship server knows. */
  async function addOwner(): Promise<void> {
    const values = [randomUUID()];
    await system.query(
      `INSERT INTO identity.users (user_id, email, email_verified_at, display_name)
       VALUES ($1, $2, now(), 'Ann')`,
      [...values, email],
    );
    await system.query(
      `INSERT INTO identity.members (tenant_id, user_id, role) VALUES ('acme', $1, 'owner')`,
      values,
    );
    await system.query(
      `INSERT INTO identity.relationship_changes (tenant_id, subject, relation, object, is_removed)
       VALUES ('acme', 'user:' || $1::text, 'owner', 'tenant:acme', false)`,
      values,
    );
  }

  /** Somebody is invited, and follows the link; the token of the invitation. */
  async function invite(token: string, browser: Browser): Promise<string> {
    await until(async () => (await ask(token, '/v1/api-keys')).ok);
    const invitation = await post(token, '/v1/members/invitations', {
      ...{ email: 'bob@example.com', role: 'viewer' },
    });
    const followed = { invitation: String(invitation['token']), code_challenge: 'x'.repeat(43) };
    const { page } = await browser.visit(authorizeUrl(followed));
    expect(page).toContain('This invitation cannot be used');
    return followed.invitation;
  }

  /** The status of a request that comes from another address of this machine. */
  function statusFrom(localAddress: string, url: string, headers: object): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    request(url, { localAddress, headers: { ...headers } }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    })
      .once('error', reject)
      .end();
    return promise;
  }

  it('open administration from the addresses that are named, also through the gateway', async () => {
    const authorization = `Bearer ${await obtainToken(`agent:${clientSecret}`)}`;
    const [here, elsewhere] = ['127.0.0.1', '127.0.0.2'];
    const spoofed = ['x-forwarded-for', 'x-real-ip', 'forwarded', 'x-client-ip'].map((name) => ({
      [name]: name === 'forwarded' ? `for=${here}` : here,
    }));
    for (const base of [gateway.url, issuer]) {
      const url = `${base}/v1/api-keys`;
      expect([base, await statusFrom(here, url, { authorization })]).toEqual([base, 200]);
      for (const headers of [{}, ...spoofed]) {
        const status = await statusFrom(elsewhere, url, { authorization, ...headers });
        expect([base, headers, status]).toEqual([base, headers, 404]);
      }
      // What is no administration is as open as ever.
      const keys = `${base}/.well-known/jwks.json`;
      expect(await statusFrom(elsewhere, keys, {})).toBe(200);
    }
  });

  it('of programs, partners and people are in no log, event, record, row, metric or trace (P8)', async () => {
    const token = await obtainToken(`agent:${clientSecret}`);
    const { key, keyToken } = await useKey(token);
    const wrong = await sendForm(
      '/oauth/token',
      { grant_type: 'client_credentials' },
      `agent:${wrongSecret}`,
    );
    const looked = await sendForm('/oauth/introspect', { token }, `agent:${clientSecret}`);
    expect([wrong.status, looked.status]).toEqual([401, 200]);
    const message = JSON.stringify({ message: 'by a program', session_id: randomUUID() });
    await ask(token, '/v1/session/message', { method: 'POST', body: message });

    await addOwner();
    const browser = new Browser(REDIRECT_URI);
    const signedIn = await signIn(browser);
    const factors = await useFactors(signedIn['access_token'] ?? '');
    const invitation = await invite(factors['byPasskey'] ?? '', browser);

    const secrets = {
      ...{ clientSecret, wrongSecret, masterKey, token, key, keyToken },
      clientCredential: btoa(`agent:${clientSecret}`),
      signature: token.split('.').at(-1),
      keySignature: keyToken.split('.').at(-1),
      partOfKey: key.split('_').slice(2).join('_'),
      ...{ providerSecret, invitation, ...signedIn, ...factors },
    };
    const seen = [
      ...['by a program', 'api_key.created', 'api_key:acme:', '/oauth/token', 'account.linked'],
      ...['second_factor.enrolled', 'second_factor.verified', '/api/auth/sign-in/:uid'],
    ];
    const headers = { authorization: `Bearer ${token}` };
    const messages = ['by a program'];
    await expectNowhere(system, { headers, collector, secrets, messages, seen });
  });
});
