import { createHmac, randomUUID, type webcrypto } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { accessScope, type Principal } from '@soma/contracts';
import { startHttpServer, type HttpServer } from '@soma/testing';
import { base64url, exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { type AuthenticationOptions, Authenticator } from './authenticator.ts';
import { KeysAtUrl } from './keys/remote-keys.ts';
import { Revocations } from './revocations.ts';
import { TokenVerifier } from './token-verifier.ts';

/** Signs with keys of its own, publishes those it wants to, and counts who asks. */
class Issuer {
  asked = 0;
  private published: object[] = [];
  private server: HttpServer | undefined;
  url = '';

  async start(port = 0): Promise<void> {
    this.server = await startHttpServer((_request, response) => {
      this.asked += 1;
      response.end(JSON.stringify({ keys: this.published }));
    }, port);
    this.url = this.server.url;
  }

  async stop(): Promise<void> {
    const server = this.server;
    this.server = undefined;
    await server?.[Symbol.asyncDispose]();
  }

  withdrawKeys(): void {
    this.published = [];
  }

  /** A signing key, published from now on unless it says otherwise. */
  async newKey({ publish = true } = {}): Promise<SigningKey> {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const kid = randomUUID();
    if (publish) {
      this.published.push({ ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' });
    }
    return { kid, privateKey, publicKey };
  }
}

interface SigningKey {
  kid: string;
  privateKey: webcrypto.CryptoKey;
  publicKey: webcrypto.CryptoKey;
}

const ALL_BUT_THE_CLOCK = [
  'hrtime',
  'nextTick',
  'performance',
  'queueMicrotask',
  'setImmediate',
  'clearImmediate',
  'setInterval',
  'clearInterval',
  'setTimeout',
  'clearTimeout',
] as const;

const now = (): number => Math.floor(Date.now() / 1000);

describe('Authenticator', () => {
  let issuer: Issuer;
  let key: SigningKey;
  let authenticator: Authenticator;

  beforeEach(async () => {
    Logger.overrideLogger(false);
    jest.useFakeTimers({ doNotFake: [...ALL_BUT_THE_CLOCK] });
    issuer = new Issuer();
    await issuer.start();
    key = await issuer.newKey();
    authenticator = make();
  });

  afterEach(async () => {
    jest.useRealTimers();
    await issuer.stop();
  });

  function options(): AuthenticationOptions {
    return {
      issuer: issuer.url,
      keys: new KeysAtUrl(`${issuer.url}/.well-known/jwks.json`),
      audience: 'gateway',
      tenantClaims: ['tenant', 'org', 'customer'],
      requireAuth: true,
      defaultTenant: 'acme',
    };
  }

  function make(changed: { requireAuth?: boolean } = {}): Authenticator {
    return new Authenticator({ ...options(), ...changed });
  }

  const claims = (changed: JWTPayload = {}): JWTPayload => ({
    iss: issuer.url,
    aud: 'gateway',
    sub: 'agent-7',
    tenant: 'acme',
    scope: 'sessions:write  sessions:read',
    iat: now(),
    exp: now() + 900,
    ...changed,
  });

  const sign = (changed?: JWTPayload, by = key): Promise<string> =>
    new SignJWT(claims(changed))
      .setProtectedHeader({ alg: 'ES256', kid: by.kid })
      .sign(by.privateKey);

  const authenticate = (token: string): Promise<Principal> =>
    authenticator.authenticate({ authorization: `Bearer ${token}` });

  const refused = { status: 401, code: 'invalid_token', headers: { 'www-authenticate': 'Bearer' } };

  it('takes the principal from the claims of a good token', async () => {
    expect(await authenticate(await sign())).toEqual({
      subject: 'agent-7',
      tenant_id: 'acme',
      scopes: ['sessions:write', 'sessions:read'],
      issued_at: expect.any(Number),
    });
  });

  it('finds the tenant in the first of the configured claims', async () => {
    const org = await authenticate(await sign({ tenant: undefined, org: 'globex' }));
    const both = await authenticate(await sign({ customer: 'other', org: 'globex' }));

    expect([org.tenant_id, both.tenant_id]).toEqual(['globex', 'acme']);
  });

  it.each([
    ['another issuer', { iss: 'http://elsewhere' }],
    ['another audience', { aud: 'identity' }],
    ['no audience', { aud: undefined }],
    ['a past expiry', { exp: now() - 11 }],
    ['no expiry', { exp: undefined }],
    ['a start in the future', { nbf: now() + 60 }],
    ['no subject', { sub: undefined }],
    ['a subject with a control character', { sub: 'a\u0000b' }],
    ['no tenant', { tenant: undefined }],
    ['a tenant of another form', { tenant: 'acme/../globex' }],
    ['a tenant of another type', { tenant: ['acme'] }],
    ['a tenant that is too long', { tenant: 'a'.repeat(129) }],
    ['a bad tenant beside a good one in a later claim', { tenant: '', org: 'acme' }],
    ['a size beyond the limit', { padding: 'x'.repeat(9000) }],
  ])('refuses a token with %s', async (_fault, changed) => {
    // Issuers and times were fixed when the table was read; only the named claim is to differ.
    await expect(authenticate(await sign(changed as JWTPayload))).rejects.toMatchObject(refused);
  });

  it('bears clocks that are up to ten seconds apart', async () => {
    await expect(authenticate(await sign({ exp: now() - 8 }))).resolves.toBeDefined();
    await expect(authenticate(await sign({ nbf: now() + 8 }))).resolves.toBeDefined();
  });

  it('refuses tokens that choose their own way of being checked', async () => {
    const body = base64url.encode(JSON.stringify(claims()));
    const unsigned = `${base64url.encode('{"alg":"none"}')}.${body}.`;
    const spki = await exportSPKI(key.publicKey);
    const hmacInput = `${base64url.encode(JSON.stringify({ alg: 'HS256', kid: key.kid }))}.${body}`;
    const hmac = createHmac('sha256', spki).update(hmacInput).digest('base64url');
    const own = await issuer.newKey({ publish: false });
    const embedded = await new SignJWT(claims())
      .setProtectedHeader({ alg: 'ES256', jwk: await exportJWK(own.publicKey) })
      .sign(own.privateKey);
    const [header, , signature] = (await sign()).split('.');
    const altered = [
      header,
      base64url.encode(JSON.stringify(claims({ tenant: 'globex' }))),
      signature,
    ];

    for (const token of [unsigned, `${hmacInput}.${hmac}`, embedded, altered.join('.')]) {
      await expect(authenticate(token)).rejects.toMatchObject(refused);
    }
  });

  it.each(['garbage', 'a.b.c', '..', '\u00ff.\u00ff.\u00ff', 'e30.e30.e30'])(
    'refuses the garbage %j',
    async (token) => {
      await expect(authenticate(token)).rejects.toMatchObject(refused);
    },
  );

  it.each([
    {},
    { authorization: '' },
    { authorization: 'Basic YTpi' },
    { authorization: 'Bearer' },
  ])('asks for a token when the headers are %j', async (headers) => {
    await expect(authenticator.authenticate(headers)).rejects.toMatchObject({
      status: 401,
      code: 'missing_credential',
      headers: { 'www-authenticate': 'Bearer' },
    });
  });

  it('ends what it remembers of a token with the token', async () => {
    const token = await sign({ exp: now() + 60 });
    await authenticate(token);

    jest.setSystemTime(Date.now() + 71_000);

    await expect(authenticate(token)).rejects.toMatchObject(refused);
  });

  it('ends what it remembers of a token when the token is revoked', async () => {
    const revocations = new Revocations();
    authenticator = new Authenticator(options(), new TokenVerifier(options(), revocations));
    const [old, other] = [await sign({ iat: now() - 1 }), await sign({ sub: 'bob' })];
    await Promise.all([authenticate(old), authenticate(other)]);

    revocations.apply({
      ...{
        schema: 'config.updates.v1',
        entity: 'principal',
        id: 'acme:agent-7',
        version: now() - 1,
      },
      ...{ deleted: false, tenant_id: 'acme', occurred_at: new Date().toISOString() },
    });

    await expect(authenticate(old)).rejects.toMatchObject(refused);
    await expect(authenticate(other)).resolves.toBeDefined();
    await expect(authenticate(await sign())).resolves.toBeDefined();
  });

  it('checks the signature of a token once', async () => {
    const verify = jest.spyOn(crypto.subtle, 'verify');
    const token = await sign();
    await authenticate(token);
    await authenticate(token);

    expect(verify).toHaveBeenCalledTimes(1);
    verify.mockRestore();
  });

  it('looks at a bad token once a second', async () => {
    const verify = jest.spyOn(crypto.subtle, 'verify');
    const early = await sign({ nbf: now() + 11 });
    await expect(authenticate(early)).rejects.toMatchObject(refused);
    await expect(authenticate(early)).rejects.toMatchObject(refused);
    expect(verify).toHaveBeenCalledTimes(1);

    jest.setSystemTime(Date.now() + 1_500);

    await expect(authenticate(early)).resolves.toBeDefined();
    verify.mockRestore();
  });

  it('learns a new key from one fetch, and answers a flood of unknown keys with one more', async () => {
    await authenticate(await sign());
    const added = await issuer.newKey();
    jest.setSystemTime(Date.now() + 6_000);

    await expect(authenticate(await sign({}, added))).resolves.toBeDefined();
    expect(issuer.asked).toBe(2);

    jest.setSystemTime(Date.now() + 6_000);
    const unknown = await issuer.newKey({ publish: false });
    const flood = await Promise.allSettled(
      Array.from({ length: 100 }, async (_, index) =>
        authenticate(await sign({}, { ...unknown, kid: `${index}` })),
      ),
    );
    expect(flood.filter(({ status }) => status === 'fulfilled')).toEqual([]);
    expect(issuer.asked).toBe(3);
  });

  it('goes on with the keys it has while the issuer is down', async () => {
    await authenticate(await sign());
    await issuer.stop();
    jest.setSystemTime(Date.now() + 3_600_000);

    await expect(authenticate(await sign())).resolves.toBeDefined();
  });

  it('drops a key that the issuer no longer publishes, without making a request wait', async () => {
    await authenticate(await sign());
    issuer.withdrawKeys();
    jest.setSystemTime(Date.now() + 301_000);

    await expect(authenticate(await sign({ jti: 'first' }))).resolves.toBeDefined();
    // The new copy arrives behind the requests.
    const deadline = performance.now() + 5_000;
    let isRefused = false;
    while (!isRefused && performance.now() < deadline) {
      const token = await sign({ jti: randomUUID() });
      isRefused = await authenticate(token).then(
        () => false,
        () => true,
      );
    }
    expect(isRefused).toBe(true);
  });

  it('answers 503 while it has never seen a key, and recovers', async () => {
    const port = Number(new URL(issuer.url).port);
    await issuer.stop();
    await authenticator.onModuleInit();
    const token = await sign();

    await expect(authenticate(token)).rejects.toMatchObject({
      status: 503,
      code: 'identity_unavailable',
      headers: { 'retry-after': '5' },
    });

    await issuer.start(port);
    jest.setSystemTime(Date.now() + 6_000);
    await expect(authenticate(token)).resolves.toBeDefined();
  });

  describe('without authentication', () => {
    const { NODE_ENV } = process.env;
    afterEach(() => {
      process.env['NODE_ENV'] = NODE_ENV;
    });

    it('takes everyone for anonymous, in development', async () => {
      process.env['NODE_ENV'] = 'development';

      expect(await make({ requireAuth: false }).authenticate({})).toEqual({
        subject: 'anonymous',
        tenant_id: 'acme',
        scopes: accessScope.options,
      });
    });

    it.each(['production', 'test', undefined])('does not start when NODE_ENV is %s', (value) => {
      delete process.env['NODE_ENV'];
      if (value !== undefined) {
        process.env['NODE_ENV'] = value;
      }

      expect(() => make({ requireAuth: false })).toThrow('only with NODE_ENV=development');
    });
  });
});
