import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, type INestApplication, Module, Post } from '@nestjs/common';
import { accessScope, type Principal } from '@soma/contracts';
import { createService } from '@soma/http';
import { EVERY_SCOPE, startTokenIssuer, type TestTokenIssuer } from '@soma/testing';
import { Access } from './access/access.decorator.ts';
import { AuthModule } from './auth.module.ts';
import { CurrentPrincipal } from './current-principal.decorator.ts';
import { Public } from './public.decorator.ts';
import { KeysAtUrl } from './keys/remote-keys.ts';
import { Revocations } from './revocations.ts';

@Controller('v1')
class ProbeController {
  @Get('me')
  @Access({ scope: null, resource: 'account' })
  me(@CurrentPrincipal() principal: Principal): Principal {
    return principal;
  }

  @Post('me')
  @Access({ scope: null, resource: 'account' })
  change(@CurrentPrincipal() principal: Principal): Principal {
    return principal;
  }

  @Public()
  @Get('open')
  open(): { open: boolean } {
    return { open: true };
  }
}

describe('AuthenticationGuard', () => {
  const running = new AsyncDisposableStack();
  let issuer: TestTokenIssuer;
  let service: INestApplication;

  beforeAll(async () => {
    issuer = running.use(await startTokenIssuer());
    const authentication = AuthModule.verify({
      issuer: issuer.url,
      keys: new KeysAtUrl(`${issuer.url}/.well-known/jwks.json`),
      audience: 'gateway',
      tenantClaims: ['tenant'],
      requireAuth: true,
      defaultTenant: 'acme',
    });

    @Module({ imports: [authentication], controllers: [ProbeController] })
    class ProbeModule {}

    service = await createService(ProbeModule);
    running.defer(() => service.close());
    service.useLogger(false);
    await service.listen(0, '127.0.0.1');
  });

  afterAll(() => running.disposeAsync());

  async function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(new URL(path, await service.getUrl()), { headers });
  }

  it('hands the verified principal to the route', async () => {
    const token = await issuer.tokenFor('acme', 'gateway');

    const answer = await get('/v1/me', { authorization: `Bearer ${token}` });

    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ tenant_id: 'acme' });
  });

  it('is tested with every scope that there is', () => {
    expect(EVERY_SCOPE).toEqual(accessScope.options);
  });

  it('answers 401 with a challenge and a problem', async () => {
    const missing = await get('/v1/me');
    const invalid = await get('/v1/me', { authorization: 'Bearer abc' });

    expect([missing.status, invalid.status]).toEqual([401, 401]);
    expect(missing.headers.get('www-authenticate')).toBe('Bearer');
    expect(invalid.headers.get('content-type')).toMatch('application/problem+json');
    expect(await invalid.json()).toMatchObject({ code: 'invalid_token' });
  });

  it('does not read what somebody sends who is not known', async () => {
    const token = await issuer.tokenFor('acme', 'gateway');
    const post = async (authorization: string): Promise<number> => {
      const headers = { authorization, 'content-type': 'application/json' };
      const url = new URL('/v1/me', await service.getUrl());
      return (await fetch(url, { method: 'POST', headers, body: '{' })).status;
    };

    expect(await Promise.all([`Bearer ${token}`, 'Bearer abc', ''].map(post))).toEqual([
      400, 401, 401,
    ]);
  });

  it('asks again once the body is there: the token may have ended meanwhile', async () => {
    const subject = 'slow-sender';
    const token = await issuer.tokenFor('acme', 'gateway', { subject });
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    expect((await get('/v1/me', headers)).status).toBe(200);

    const sent = request(new URL('/v1/me', await service.getUrl()), {
      method: 'POST',
      headers: { ...headers, expect: '100-continue' },
    });
    sent.flushHeaders();
    // It was let in by then.
    await once(sent, 'continue');
    service.get(Revocations).apply({
      ...{ schema: 'config_update.v1', tenant_id: 'acme', entity: 'principal', deleted: false },
      ...{ id: `acme:${subject}`, version: Math.ceil(Date.now() / 1000) },
      occurred_at: new Date().toISOString(),
    });
    sent.end('{}');
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];

    expect(answer.resume().statusCode).toBe(401);
  });

  it('leaves public routes open, also to a bad token', async () => {
    const answer = await get('/v1/open', { authorization: 'Bearer abc' });

    expect(answer.status).toBe(200);
  });
});
