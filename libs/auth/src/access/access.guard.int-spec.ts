import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Body, Controller, Get, Global, type INestApplication, Module, Post } from '@nestjs/common';
import { createService } from '@soma/http';
import { Problem } from '@soma/kernel';
import { startTokenIssuer, type TestTokenIssuer, type TokenClaims } from '@soma/testing';
import { AuthModule } from '../auth.module.ts';
import { KeysAtUrl } from '../keys/remote-keys.ts';
import { Public } from '../public.decorator.ts';
import { Access } from './access.decorator.ts';
import { ACCESS_OBJECTS, type AccessObjects } from './access-objects.ts';
import { type Denial, DENIAL_REPORTER, type DenialReporter } from './denial.ts';

/** Of what Nest logs. */
const SILENT = { log: () => undefined, error: () => undefined };

@Controller('v1')
class ProbeController {
  @Get('personas')
  @Access({ scope: 'personas:write', resource: 'persona' })
  personas(): string {
    return 'personas';
  }

  @Get('session/:id')
  @Access({ scope: 'sessions:read', resource: 'session', relation: 'reader' })
  session(): string {
    return 'session';
  }

  @Post('session/message')
  @Access({
    ...{ scope: 'sessions:write', resource: 'session', relation: 'writer' },
    ...{ id: 'body.session_id', mayBeNew: true },
  })
  message(@Body() body: object): object {
    return body;
  }

  @Get('account')
  @Access({ scope: null, resource: 'account' })
  account(): string {
    return 'account';
  }

  @Public()
  @Get('open')
  open(): string {
    return 'open';
  }
}

@Controller()
class UndeclaredController {
  @Get('forgotten')
  forgotten(): string {
    return 'open to everybody';
  }
}

/** Of each tenant: `anns` is Ann's, and there is nothing else. */
const lookups: string[] = [];
const objects: AccessObjects = {
  ownerOf: (_resource, _tenantId, id) => {
    lookups.push(id);
    return Promise.resolve(id === 'anns' ? 'ann' : null);
  },
  notFound: (_resource, id) =>
    new Problem({ status: 404, code: 'session_not_found', detail: `There is no ${id}.` }),
};

describe('AccessGuard', () => {
  const running = new AsyncDisposableStack();
  const denials: Denial[] = [];
  const warnings: unknown[] = [];
  let issuer: TestTokenIssuer;
  let url: string;

  const report: DenialReporter = (denial) => denials.push(denial);
  const app = [
    { provide: ACCESS_OBJECTS, useValue: objects },
    { provide: DENIAL_REPORTER, useValue: report },
  ];

  @Global()
  @Module({ providers: app, exports: app })
  class ProbeAppModule {}

  async function start(controller: new () => object): Promise<INestApplication> {
    const authentication = AuthModule.verify({
      ...{ issuer: issuer.url, keys: new KeysAtUrl(issuer.jwksUrl), audience: 'gateway' },
      ...{ tenantClaims: ['tenant'], requireAuth: true, defaultTenant: 'acme' },
    });

    @Module({ imports: [ProbeAppModule, authentication], controllers: [controller] })
    class ProbeModule {}

    const service = await createService(ProbeModule);
    service.useLogger({ ...SILENT, warn: (line: unknown) => warnings.push(line) });
    running.defer(() => service.close());
    await service.listen(0, '127.0.0.1');
    return service;
  }

  beforeAll(async () => {
    issuer = running.use(await startTokenIssuer());
    url = await (await start(ProbeController)).getUrl();
  });

  beforeEach(() => {
    denials.length = 0;
    warnings.length = 0;
  });

  afterAll(() => running.disposeAsync());

  async function send(
    path: string,
    claims: TokenClaims,
    body?: object,
  ): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }> {
    const authorization = `Bearer ${await issuer.tokenFor('acme', 'gateway', claims)}`;
    const response = await fetch(`${url}${path}`, {
      headers: { authorization, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const answer = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
    return { status: response.status, body: answer, headers: response.headers };
  }

  it('lets a credential through that has the scope', async () => {
    const { status } = await send('/v1/personas', { scopes: ['personas:write'] });

    expect(status).toBe(200);
    expect(denials).toEqual([]);
  });

  it('refuses one that lacks the scope, by the name of the scope and of the decision', async () => {
    const { status, body, headers } = await send('/v1/personas', { scopes: ['personas:read'] });

    expect({ status, code: body['code'] }).toEqual({ status: 403, code: 'insufficient_scope' });
    expect(headers.get('www-authenticate')).toBe(
      'Bearer error="insufficient_scope", scope="personas:write"',
    );
    expect(denials).toMatchObject([
      {
        decisionId: body['decision_id'],
        rule: 'scope_missing',
        principal: { subject: 'test-agent', tenant_id: 'acme' },
        method: 'GET',
        path: '/v1/personas',
        resource: { type: 'persona', id: null },
        requestId: headers.get('x-request-id'),
      },
    ]);
    expect(warnings).toEqual([
      expect.objectContaining({
        message: 'Access was denied.',
        decision_id: body['decision_id'],
        rule: 'scope_missing',
        subject: 'test-agent',
      }),
    ]);
  });

  it('refuses a scope that the role no longer allows', async () => {
    const asViewer = await send('/v1/personas', { role: 'viewer' });
    const asAdmin = await send('/v1/personas', { role: 'admin' });

    expect(asViewer).toMatchObject({ status: 403, body: { code: 'access_denied' } });
    expect(asAdmin.status).toBe(200);
    expect(denials.map(({ rule }) => rule)).toEqual(['role_forbids']);
  });

  it('shows what is somebody’s to them and to services, and to others as if it were not there', async () => {
    const own = await send('/v1/session/anns', { subject: 'ann', role: 'member' });
    const service = await send('/v1/session/anns', { subject: 'agent' });
    const foreign = await send('/v1/session/anns', { subject: 'bob', role: 'owner' });
    const missing = await send('/v1/session/none', { subject: 'bob', role: 'owner' });

    expect([own.status, service.status]).toEqual([200, 200]);
    expect(foreign).toMatchObject({ status: 404, body: { code: 'session_not_found' } });
    expect(missing).toMatchObject({ status: 404, body: { code: 'session_not_found' } });
    expect(Object.keys(foreign.body)).toEqual(Object.keys(missing.body));
    expect(denials).toMatchObject([{ rule: 'relation:reader', path: '/v1/session/{id}' }]);
  });

  it('asks for a service nobody whose something is: that there is none its handler says', async () => {
    lookups.length = 0;

    const service = await send('/v1/session/none', { subject: 'agent' });
    const person = await send('/v1/session/none', { subject: 'ann', role: 'member' });

    expect([service.status, person.status]).toEqual([200, 404]);
    expect(lookups).toEqual(['none']);
  });

  it('finds what is meant in the body, and lets anybody begin a new one', async () => {
    const bob: TokenClaims = { subject: 'bob', role: 'member' };

    const foreign = await send('/v1/session/message', bob, { session_id: 'anns' });
    const fresh = await send('/v1/session/message', bob, { session_id: 'new' });
    const unnamed = await send('/v1/session/message', bob, {});

    expect([foreign.status, fresh.status, unnamed.status]).toEqual([404, 201, 201]);
  });

  it('asks for no scope where everybody acts on what is their own', async () => {
    expect((await send('/v1/account', { scopes: [] })).status).toBe(200);
    expect((await fetch(`${url}/v1/account`)).status).toBe(401);
  });

  it('does not start a service with a route that declares nothing', async () => {
    await expect(start(UndeclaredController)).rejects.toThrow('UndeclaredController.forgotten');
  });
});
