import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Module, Post } from '@nestjs/common';
import { createService } from '@soma/http';
import { ConfigError, loadConfig, type Quota, type QuotaGrant } from '@soma/kernel';
import { startTokenIssuer, type TestTokenIssuer, type TokenClaims } from '@soma/testing';
import { z } from 'zod';
import { Access } from '../access/access.decorator.ts';
import { AuthModule } from '../auth.module.ts';
import { KeysAtUrl } from '../keys/remote-keys.ts';
import { Public } from '../public.decorator.ts';
import { limitSettings, LimitsModule } from './limits.module.ts';
import { RateLimited } from './rate-limit.guard.ts';
import { RateLimiter } from './rate-limiter.ts';

@Controller('v1')
class ProbeController {
  @Get('models')
  @Access({ scope: 'models:read', resource: 'model' })
  models(): string {
    return 'models';
  }

  @Get('audit')
  @Access({ scope: 'audit:read', resource: 'audit_log' })
  audit(): string {
    return 'audit';
  }

  @Public()
  @Get('open')
  open(): string {
    return 'open';
  }

  @Public()
  @RateLimited('sign_in')
  @Post('sign-in')
  signIn(): string {
    return 'signed in';
  }
}

/** It counts in memory; that over Redis has tests of its own. */
class Counter {
  readonly #taken = new Map<string, number>();

  take(key: string, { limit, windowMs: resetMs }: Quota): Promise<QuotaGrant> {
    const taken = (this.#taken.get(key) ?? 0) + 1;
    this.#taken.set(key, taken);
    const granted = taken > limit ? 0 : 1;
    return Promise.resolve({ granted, remaining: Math.max(0, limit - taken), resetMs });
  }
}

@Module({ providers: [Counter], exports: [Counter] })
class CounterModule {}

@Module({ controllers: [ProbeController] })
class ProbeModule {}

describe('the limits of a service', () => {
  const running = new AsyncDisposableStack();
  let issuer: TestTokenIssuer;
  let caller = 0;
  let subject: string;

  beforeAll(async () => {
    issuer = running.use(await startTokenIssuer());
  });
  beforeEach(() => {
    caller += 1;
    subject = `caller-${caller}`;
  });
  afterAll(() => running.disposeAsync());

  async function start(settings: Record<string, string>): Promise<string> {
    const config = loadConfig(z.object(limitSettings), settings);
    const service = await createService(
      {
        module: ProbeModule,
        imports: [
          { module: CounterModule, global: true },
          AuthModule.verify({
            issuer: issuer.url,
            keys: new KeysAtUrl(issuer.jwksUrl),
            audience: 'gateway',
            tenantClaims: ['tenant'],
            requireAuth: true,
            defaultTenant: 'acme',
          }),
          LimitsModule.of(config, Counter),
        ],
      },
      {
        config: {
          SOMA_VERSION: '0.0.0',
          HEALTH_HTTP_DEPENDENCIES: [],
          TRUSTED_PROXIES: ['127.0.0.1', '10.0.0.0/8'],
        },
      },
    );
    running.defer(() => service.close());
    await service.listen(0, '127.0.0.1');
    return service.getUrl();
  }

  async function ask(
    url: string,
    {
      claims = {},
      tenant = 'acme',
      from,
    }: { claims?: TokenClaims; tenant?: string; from?: string } = {},
  ): Promise<Response> {
    const token = await issuer.tokenFor(tenant, 'gateway', { subject, ...claims });
    return fetch(url, {
      headers: { authorization: `Bearer ${token}`, ...(from && { 'x-forwarded-for': from }) },
    });
  }

  async function statuses(count: number, once: () => Promise<Response>): Promise<number[]> {
    const found: number[] = [];
    for (let index = 0; index < count; index++) found.push((await once()).status);
    return found;
  }

  const person = { role: 'member' } as const;

  it('holds a person to so many requests, whichever the route, and says so', async () => {
    const url = await start({ RATE_LIMIT_API_PER_MINUTE: '3' });
    const answers = [];
    for (let index = 0; index < 4; index++) {
      answers.push(await ask(`${url}/v1/models`, { claims: person }));
    }
    const [first, , , last] = answers;

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
    expect(first?.headers.get('ratelimit-policy')).toBe('"api";q=3;w=60');
    expect(first?.headers.get('ratelimit')).toMatch(/^"api";r=2;t=\d+$/);
    expect(last?.headers.get('ratelimit')).toMatch(/^"api";r=0;t=\d+$/);
    expect(Number(last?.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await last?.json()).toMatchObject({ status: 429, code: 'rate_limited' });
    expect((await ask(`${url}/v1/audit`, { claims: person })).status).toBe(429);
  });

  it('counts each principal of each tenant by itself, and services by a limit of theirs', async () => {
    const url = await start({ RATE_LIMIT_API_PER_MINUTE: '1', RATE_LIMIT_SERVICE_PER_MINUTE: '2' });
    const models = `${url}/v1/models`;

    expect(await statuses(2, () => ask(models, { claims: person }))).toEqual([200, 429]);
    expect(await statuses(2, () => ask(models, { claims: person, tenant: 'globex' }))).toEqual([
      200, 429,
    ]);
    subject = 'service';
    expect(await statuses(3, () => ask(models))).toEqual([200, 200, 429]);
  });

  it('holds an address to so many tries to sign in, and leaves what is open alone', async () => {
    const url = await start({ RATE_LIMIT_SIGN_IN_ADDRESS_PER_15_MINUTES: '5' });
    const signIn = (from: string) => () =>
      fetch(`${url}/v1/sign-in`, { method: 'POST', headers: { 'x-forwarded-for': from } });

    expect(await statuses(6, signIn('192.0.2.1'))).toEqual([201, 201, 201, 201, 201, 429]);
    expect(await statuses(1, signIn('192.0.2.2'))).toEqual([201]);
    expect(await statuses(8, () => fetch(`${url}/v1/open`))).toEqual(Array(8).fill(200));
  });

  it('locks no office out of which some sign in', async () => {
    const url = await start({});
    const signIn = () => fetch(`${url}/v1/sign-in`, { method: 'POST' });

    expect(await statuses(20, signIn)).toEqual(Array(20).fill(201));
  });

  it('believes of an address only what its proxies say', async () => {
    const url = await start({ RATE_LIMIT_SIGN_IN_ADDRESS_PER_15_MINUTES: '1' });
    const signIn = (from: string) => () =>
      fetch(`${url}/v1/sign-in`, { method: 'POST', headers: { 'x-forwarded-for': from } });

    expect(await statuses(1, signIn('192.0.2.9'))).toEqual([201]);
    // The client wrote what stands before its own address.
    expect(await statuses(1, signIn('203.0.113.5, 192.0.2.9'))).toEqual([429]);
    expect(await statuses(1, signIn('203.0.113.5, 192.0.2.9, 10.1.2.3'))).toEqual([429]);
  });

  it('hides administration from elsewhere, with or without a credential', async () => {
    const url = await start({ ADMIN_ALLOWED_CIDRS: '198.51.100.0/24,2001:db8::/32' });
    const unknown = await ask(`${url}/v1/nothing`);
    const hidden = await ask(`${url}/v1/audit`, { from: '192.0.2.1' });
    const open = await fetch(`${url}/v1/audit`, { headers: { 'x-forwarded-for': '192.0.2.1' } });

    expect([hidden.status, open.status]).toEqual([404, 404]);
    expect(await hidden.json()).toEqual(await unknown.json());
    expect((await ask(`${url}/v1/models`, { from: '192.0.2.1' })).status).toBe(200);
    for (const from of ['198.51.100.7', '::ffff:198.51.100.7', '2001:db8::1']) {
      expect((await ask(`${url}/v1/audit`, { from })).status).toBe(200);
    }
    // Who stands before the proxy cannot say that it is inside.
    expect((await ask(`${url}/v1/audit`, { from: '198.51.100.7, 192.0.2.1' })).status).toBe(404);
  });

  it('lifts the limits by a 0, in development alone (P7)', async () => {
    const config = loadConfig(z.object(limitSettings), { RATE_LIMIT_API_PER_MINUTE: '0' });
    const environment = process.env['NODE_ENV'];
    try {
      process.env['NODE_ENV'] = 'development';
      const limiter = new RateLimiter(config, new Counter());
      expect(await limiter.spend({ subject: 's', tenant_id: 't', scopes: [] })).toBeUndefined();
      process.env['NODE_ENV'] = 'production';
      expect(() => new RateLimiter(config, new Counter())).toThrow(ConfigError);
    } finally {
      process.env['NODE_ENV'] = environment;
    }
  });

  it.each(['10.0.0.0/33', 'everywhere', '10.0.0.0/8/8', '2001:db8::/129'])(
    'refuses %s as a network',
    (cidr) => {
      expect(() => loadConfig(z.object(limitSettings), { ADMIN_ALLOWED_CIDRS: cidr })).toThrow(
        'ADMIN_ALLOWED_CIDRS',
      );
    },
  );
});
