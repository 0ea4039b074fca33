import { createHmac, sign as signWith } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, type INestApplication, Module } from '@nestjs/common';
import type { Principal } from '@soma/contracts';
import { createService } from '@soma/http';
import { startHttpServer } from '@soma/testing';
import { exportJWK, exportSPKI, generateKeyPair, type JWK } from 'jose';
import { Access } from './access/access.decorator.ts';
import { AuthModule } from './auth.module.ts';
import { CurrentPrincipal } from './current-principal.decorator.ts';
import { KeysAtUrl } from './keys/remote-keys.ts';
import { Revocations } from './revocations.ts';

@Controller('v1')
class ProbeController {
  @Get('me')
  @Access({ scope: null, resource: 'account' })
  me(@CurrentPrincipal() principal: Principal): Principal {
    return principal;
  }

  /** Of the administration. */
  @Get('api-keys')
  @Access({ scope: 'api_keys:read', resource: 'api_key' })
  keys(): string {
    return 'keys';
  }
}

const KID = 'k1';
const PUBLISHED: object[] = [];
const now = (): number => Math.floor(Date.now() / 1000);
const encode = (text: string | Buffer): string => Buffer.from(text).toString('base64url');

describe('a token that is not good', () => {
  const running = new AsyncDisposableStack();
  let service: INestApplication;
  let issuer: string;
  let own: Awaited<ReturnType<typeof makeKey>>;
  let foreign: Awaited<ReturnType<typeof makeKey>>;

  beforeAll(async () => {
    own = await makeKey();
    foreign = await makeKey();
    PUBLISHED.push({ ...own.jwk, kid: KID, alg: 'ES256', use: 'sig' });
    const server = await startHttpServer((_request, response) => {
      response.end(JSON.stringify({ keys: PUBLISHED }));
    });
    issuer = running.use(server).url;
    const authentication = AuthModule.verify({
      issuer,
      keys: new KeysAtUrl(issuer),
      audience: 'gateway',
      tenantClaims: ['tenant'],
      requireAuth: true,
      defaultTenant: 'acme',
    });

    @Module({ imports: [authentication], controllers: [ProbeController] })
    class ProbeModule {}

    service = await createService(ProbeModule);
    running.defer(() => service.close());
    await service.listen(0, '127.0.0.1');
  });

  afterAll(() => running.disposeAsync());
  afterEach(() => {
    jest.restoreAllMocks();
  });

  async function makeKey(): Promise<{ jwk: JWK; pem: string; sign: (text: string) => string }> {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const key = { key: { ...(await exportJWK(privateKey)) }, format: 'jwk' as const };
    return {
      jwk: await exportJWK(publicKey),
      pem: await exportSPKI(publicKey),
      sign: (text) =>
        encode(signWith('sha256', Buffer.from(text), { ...key, dsaEncoding: 'ieee-p1363' })),
    };
  }

  const claims = (changed: object = {}): string =>
    JSON.stringify({
      ...{ iss: issuer, aud: 'gateway', sub: 'ann', tenant: 'acme', scope: 'sessions:read' },
      ...{ iat: now(), exp: now() + 600, ...changed },
    });

  /** Signed well, whatever it says. */
  function token(header: object | string = {}, payload = claims(), by = own): string {
    const text =
      typeof header === 'string' ? header : JSON.stringify({ alg: 'ES256', kid: KID, ...header });
    const input = `${encode(text)}.${encode(payload)}`;
    return `${input}.${by.sign(input)}`;
  }

  function hmac(secret: string, header: object = { alg: 'HS256', kid: KID }): string {
    const input = `${encode(JSON.stringify(header))}.${encode(claims())}`;
    return `${input}.${encode(createHmac('sha256', secret).update(input).digest())}`;
  }

  async function send(
    text: string,
    path = '/v1/me',
  ): Promise<{ answer: unknown; verifications: number }> {
    const verify = jest.spyOn(crypto.subtle, 'verify');
    const response = await fetch(`${await service.getUrl()}${path}`, {
      headers: { authorization: `Bearer ${text}` },
    });
    const { status, headers } = response;
    const named = ['content-type', 'content-length', 'www-authenticate', 'cache-control'];
    const answer = [status, await response.text(), named.map((name) => headers.get(name))];
    const verifications = verify.mock.calls.length;
    verify.mockRestore();
    return { answer, verifications };
  }

  const altered = (text: string, part: number, change: (part: string) => string): string =>
    text
      .split('.')
      .map((each, index) => (index === part ? change(each) : each))
      .join('.');

  const BAD: Record<string, () => string> = {
    'a signature by another key': () => token({}, claims(), foreign),
    'no algorithm': () => `${encode('{"alg":"none"}')}.${encode(claims())}.`,
    'no algorithm, and a signature': () => token({ alg: 'none' }),
    'NoNe as its algorithm': () => token({ alg: 'NoNe' }),
    'a MAC with the public key in PEM': () => hmac(own.pem),
    'a MAC with the public key as JWK': () => hmac(JSON.stringify(own.jwk)),
    'a MAC with an empty secret': () => hmac(''),
    'an algorithm that is not that of the key': () => token({ alg: 'RS256' }),
    'an algorithm for another curve': () => token({ alg: 'ES384' }),
    'a signature of zeros': () => altered(token(), 2, () => encode(Buffer.alloc(64))),
    'a signature that is cut': () => altered(token(), 2, (part) => part.slice(0, -8)),
    'a signature in DER': () =>
      altered(token(), 2, (part) =>
        encode(Buffer.concat([Buffer.from([48, 68]), Buffer.from(part)])),
      ),
    'an unknown kid': () => token({ kid: 'k2' }),
    'a kid that is a path': () => token({ kid: '../../../../dev/null' }),
    'a kid that is a statement': () => token({ kid: "k1' UNION SELECT 'AA" }),
    'a kid that is a URL': () => token({ kid: 'http://127.0.0.1/jwks' }),
    'a kid with another behind NUL': () => token({ kid: 'k1\u0000' }),
    'a kid that is no text': () => token({ kid: ['k1'] }),
    'its own key in the header': () =>
      token({ kid: undefined, jwk: foreign.jwk }, claims(), foreign),
    'its own key beside a known kid': () => token({ jwk: foreign.jwk }, claims(), foreign),
    'our own key in the header': () => token({ jwk: own.jwk }),
    'an address of keys': () => token({ jku: 'http://127.0.0.1:1/keys' }),
    'an address of certificates': () => token({ x5u: 'http://127.0.0.1:1/keys' }),
    'a chain of certificates': () => token({ x5c: ['AA=='] }),
    'an extension that must be known': () => token({ crit: ['b64'], b64: false }),
    'a header member twice': () => token(`{"alg":"ES256","kid":"${KID}","kid":"${KID}"}`),
    'a claim twice': () => token({}, claims().replace('{', '{"tenant":"globex",')),
    'a claim twice, once escaped': () =>
      token({}, claims().replace('{', '{"t\\u0065nant":"globex",')),
    'a header that is no object': () => token('"ES256"'),
    'a payload that is no object': () => token({}, '[]'),
    'a payload that is nested deeply': () =>
      token({}, claims().replace('{', `{"deep":${'['.repeat(900)}${']'.repeat(900)},`)),
    'nothing in it': () => '..',
    'four parts': () => `${token()}.AA`,
    padding: () => `${token()}=`,
    'base64 of the other alphabet': () => altered(token(), 0, (part) => `${part}+/`),
    'a size beyond the limit': () => token({}, claims({ padding: 'x'.repeat(9000) })),
    'a past expiry': () => token({}, claims({ exp: now() - 11 })),
    'no expiry': () => token({}, claims({ exp: undefined })),
    'an expiry that is text': () => token({}, claims({ exp: '9999999999' })),
    'a start in the future': () => token({}, claims({ nbf: now() + 60 })),
    'an issue in the future': () => token({}, claims({ iat: now() + 60 })),
    'another audience': () => token({}, claims({ aud: 'identity' })),
    'an audience that contains ours': () => token({}, claims({ aud: 'gateway2' })),
    'another issuer': () => token({}, claims({ iss: 'https://elsewhere.example' })),
    'an issuer with a slash more': () => token({}, claims({ iss: `${issuer}/` })),
    'no subject': () => token({}, claims({ sub: undefined })),
    'no tenant': () => token({}, claims({ tenant: undefined })),
    'a role that there is not': () => token({}, claims({ role: 'root' })),
    'been revoked': () => token({}, claims({ sub: 'bob', iat: now() - 5 })),
  };

  it.each(Object.keys(BAD))('is refused when it has %s', async (fault) => {
    service.get(Revocations).apply({
      ...{ schema: 'config.updates.v1', entity: 'principal', id: 'acme:bob', version: now() },
      ...{ deleted: false, tenant_id: 'acme', occurred_at: new Date().toISOString() },
    });
    const good = await send(token());
    const forged = await send(token({}, claims(), foreign));
    const text = BAD[fault]?.() ?? '';
    const bad = await send(text);
    const again = await send(text);
    const atAdministration = await send(text, '/v1/api-keys');

    // Whoever forges learns nothing: the answer is the same to the letter, and so is the work.
    expect(good.answer).toEqual([200, expect.anything(), expect.anything()]);
    expect(bad.answer).toEqual(forged.answer);
    expect(again.answer).toEqual(bad.answer);
    expect(atAdministration.answer).toEqual(bad.answer);
    expect(bad.answer).toEqual([
      401,
      expect.stringContaining('"invalid_token"'),
      expect.anything(),
    ]);
    expect([forged, bad, again].map(({ verifications }) => verifications)).toEqual([1, 1, 0]);
  });
});
