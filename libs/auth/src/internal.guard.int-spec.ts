import type { RequestListener } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, type DynamicModule, Get, type INestApplication, Module } from '@nestjs/common';
import type { Principal } from '@soma/contracts';
import { createService } from '@soma/http';
import { startHttpServer } from '@soma/testing';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { Access } from './access/access.decorator.ts';
import { AuthModule } from './auth.module.ts';
import type { AuthenticationOptions } from './authenticator.ts';
import { CurrentPrincipal } from './current-principal.decorator.ts';
import { Internal } from './internal.guard.ts';
import { createProofKey, type ProofKey, signPrincipal } from './principal-assertion.ts';
import { KeysAtUrl } from './keys/remote-keys.ts';

@Controller()
class ProbeController {
  @Internal()
  @Get('internal')
  internal(@CurrentPrincipal() principal: Principal): Principal {
    return principal;
  }

  @Get('open-to-users')
  @Access({ scope: null, resource: 'account' })
  forUsers(@CurrentPrincipal() principal: Principal): Principal {
    return principal;
  }
}

describe('InternalGuard', () => {
  const running = new AsyncDisposableStack();
  const ann: Principal = {
    subject: 'ann',
    tenant_id: 'globex',
    scopes: ['sessions:read'],
    role: 'member',
    authentication_methods: ['pwd', 'otp'],
    authenticated_at: 1_790_000_000,
    issued_at: 1_790_000_100,
    api_key_id: 'k7',
  };
  let authentication: AuthenticationOptions;
  let published: string;
  const serveKeys: RequestListener = (_request, response) => void response.end(published);
  let service: INestApplication;
  let proofKey: ProofKey;
  let issueToken: (claims?: Record<string, unknown>) => Promise<string>;

  beforeAll(async () => {
    proofKey = await createProofKey();
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    published = JSON.stringify({ keys: [await exportJWK(publicKey)] });
    const { url } = running.use(await startHttpServer(serveKeys));
    const jkt = await calculateJwkThumbprint(proofKey.publicJwk);
    issueToken = (claims) =>
      new SignJWT({ sub: 'gateway', tenant: 'soma', aud: 'worker', cnf: { jkt }, ...claims })
        .setProtectedHeader({ alg: 'ES256' })
        .setIssuer(url)
        .setExpirationTime('1 minute')
        .sign(privateKey);

    authentication = {
      issuer: url,
      keys: new KeysAtUrl(url),
      audience: 'worker',
      tenantClaims: ['tenant'],
      requireAuth: true,
      defaultTenant: 'acme',
    };
    service = await startProbe(AuthModule.verify(authentication));
  });

  afterAll(() => running.disposeAsync());

  async function startProbe(verification: DynamicModule): Promise<INestApplication> {
    @Module({ imports: [verification], controllers: [ProbeController] })
    class ProbeModule {}
    const probe = await createService(ProbeModule);
    running.defer(() => probe.close());
    await probe.listen(0, '127.0.0.1');
    return probe;
  }

  async function call(headers: Record<string, string>, path = '/internal'): Promise<Response> {
    return fetch(new URL(path, await service.getUrl()), { headers });
  }

  async function bearer(claims?: Record<string, unknown>): Promise<Record<string, string>> {
    return { authorization: `Bearer ${await issueToken(claims)}` };
  }

  it('takes the principal that the service names', async () => {
    const answer = await call({
      ...(await bearer()),
      'x-soma-principal': await signPrincipal(proofKey, 'worker', ann),
    });

    expect([answer.status, await answer.json()]).toEqual([200, ann]);
  });

  it('refuses a service token without a principal, and a principal without a token', async () => {
    const principalAlone = await call({
      'x-soma-principal': await signPrincipal(proofKey, 'worker', ann),
    });
    const tokenAlone = await call(await bearer());

    expect([principalAlone.status, tokenAlone.status]).toEqual([401, 401]);
    expect(tokenAlone.headers.get('www-authenticate')).toBe('Bearer');
  });

  it.each<[string, () => Promise<Record<string, string>>]>([
    ['for another service', () => bearer({ aud: 'gateway' })],
    ['that names no key, such as a user’s', () => bearer({ cnf: undefined })],
    ['that names no key we know how to check', () => bearer({ cnf: { kid: 'x' } })],
    ['that names another key', () => bearer({ cnf: { jkt: 'another' } })],
  ])('refuses a token %s', async (_fault, authorization) => {
    const answer = await call({
      ...(await authorization()),
      'x-soma-principal': await signPrincipal(proofKey, 'worker', ann),
    });

    expect(answer.status).toBe(401);
  });

  it('refuses an assertion by another key, for another service, or too old', async () => {
    const old = new SignJWT({ principal: ann, aud: 'worker' })
      .setProtectedHeader({ alg: 'ES256', typ: 'soma-principal+jwt', jwk: proofKey.publicJwk })
      .setIssuedAt(Math.floor(Date.now() / 1000) - 120)
      .setExpirationTime('1 hour')
      .sign(proofKey.privateKey);
    const assertions = [
      signPrincipal(await createProofKey(), 'worker', ann),
      signPrincipal(proofKey, 'gateway', ann),
      signPrincipal(proofKey, 'worker', { ...ann, tenant_id: 'a/b' }),
      old,
      issueToken(),
      Promise.resolve('garbage'),
    ];

    for (const assertion of assertions) {
      const answer = await call({ ...(await bearer()), 'x-soma-principal': await assertion });
      expect([answer.status, await answer.json()]).toMatchObject([401, { code: 'invalid_token' }]);
    }
  });

  it('is open while identity is down, to a service that also takes the tokens of partners', async () => {
    const keys = await startHttpServer(serveKeys);
    const module = AuthModule.verify({
      ...authentication,
      keys: new KeysAtUrl(keys.url),
      audience: 'gateway',
      internalAudience: 'worker',
    });
    const both = await startProbe(module);
    await keys[Symbol.asyncDispose]();

    const answer = await fetch(new URL('/internal', await both.getUrl()), {
      headers: {
        ...(await bearer()),
        'x-soma-principal': await signPrincipal(proofKey, 'worker', ann),
      },
    });

    expect(answer.status).toBe(200);
  });

  it('keeps service tokens out of the routes of users', async () => {
    const answer = await call(await bearer(), '/open-to-users');

    expect(answer.status).toBe(401);
  });
});
