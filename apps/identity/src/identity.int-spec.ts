import { hash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, type INestApplication, Module } from '@nestjs/common';
import {
  type AuthenticationOptions,
  Authenticator,
  AuthModule,
  CurrentPrincipal,
  Internal,
  KeysAtUrl,
  ServiceTokens,
} from '@soma/auth';
import type { Principal } from '@soma/contracts';
import { createService, internalFetch } from '@soma/http';
import { loadConfig, Secret } from '@soma/kernel';
import { migrate } from '@soma/migrations';
import { createTestDatabase, createTestKafka, type TestDatabase, until } from '@soma/testing';
import { AppModule } from './app.module.ts';
import { identityConfig } from './identity.config.ts';
import { makeTopics } from './spec-support.ts';

const ISSUER = 'http://localhost:8080';
const AGENT_SECRET = randomBytes(32).toString('base64url');
const GATEWAY_SECRET = randomBytes(32).toString('base64url');
const masterKey = randomBytes(32).toString('base64');

@Internal()
@Controller('internal')
class WhoController {
  @Get()
  who(@CurrentPrincipal() principal: Principal): Principal {
    return principal;
  }
}

interface TokenResponse {
  access_token: string;
  token_type: string;
  expires_in: number;
  scope?: string;
}

describe('identity', () => {
  const running = new AsyncDisposableStack();
  const kafka = running.use(createTestKafka());
  let database: TestDatabase;
  let clientsFile: string;
  let identity: INestApplication;

  beforeAll(async () => {
    database = running.use(await createTestDatabase());
    await Promise.all([migrate(new Secret(database.ownerUrl)), makeTopics(kafka)]);
    const folder = await mkdtemp(join(tmpdir(), 'soma-identity-'));
    running.defer(() => rm(folder, { recursive: true }));
    clientsFile = join(folder, 'clients.json');
    await writeFile(
      clientsFile,
      JSON.stringify([
        {
          client_id: 'agent-7',
          client_secret_hash: hash('sha256', AGENT_SECRET),
          tenant_id: 'acme',
          scopes: ['sessions:read', 'sessions:write'],
          audiences: ['gateway', 'identity'],
        },
        {
          client_id: 'gateway',
          client_secret_hash: hash('sha256', GATEWAY_SECRET),
          tenant_id: 'soma',
          scopes: [],
          audiences: ['conversation-worker'],
        },
      ]),
    );
    identity = await startIdentity();
  });

  // Also when the set-up fails half-way: a server left behind would keep the test run from ending.
  afterAll(() => running.disposeAsync());

  async function startIdentity(on = database): Promise<INestApplication> {
    const config = loadConfig(identityConfig, {
      DATABASE_URL: await on.loginUrl('identity'),
      IDENTITY_CLIENTS_FILE: clientsFile,
      SOMA_MASTER_KEY: masterKey,
      KAFKA_BROKERS: kafka.brokers,
      KAFKA_TOPIC_PREFIX: kafka.topicPrefix,
    });
    const service = await createService(AppModule.configure(config));
    running.defer(() => service.close());
    await service.listen(0, '127.0.0.1');
    return service;
  }

  async function ask(
    parameters: Record<string, string> = {},
    { secret = AGENT_SECRET, at = identity } = {},
  ): Promise<Response> {
    return fetch(new URL('/oauth/token', await at.getUrl()), {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`agent-7:${secret}`)}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', ...parameters }),
    });
  }

  async function obtain(
    parameters?: Record<string, string>,
    at?: INestApplication,
  ): Promise<TokenResponse> {
    const answer = await ask(parameters, at && { at });
    expect([answer.status, await answer.clone().text()]).toEqual([200, expect.anything()]);
    return (await answer.json()) as TokenResponse;
  }

  async function authenticationFor(
    audience: string,
    by = identity,
  ): Promise<AuthenticationOptions> {
    return {
      issuer: ISSUER,
      keys: new KeysAtUrl(new URL('/.well-known/jwks.json', await by.getUrl()).href),
      audience,
      tenantClaims: ['tenant'],
      requireAuth: true,
      defaultTenant: 'acme',
    };
  }

  async function verify(
    token: string,
    { audience = 'gateway', by = identity } = {},
  ): Promise<Principal> {
    const authenticator = new Authenticator(await authenticationFor(audience, by));
    return authenticator.authenticate({ authorization: `Bearer ${token}` });
  }

  it('issues tokens that a service can verify by itself', async () => {
    const response = await obtain();

    expect(response).toMatchObject({ token_type: 'Bearer', expires_in: 900 });
    expect(await verify(response.access_token)).toEqual({
      subject: 'agent-7',
      tenant_id: 'acme',
      scopes: ['sessions:read', 'sessions:write'],
      issued_at: expect.any(Number),
      token_id: expect.any(String),
    });
    expect(claimsOf(response.access_token)).toMatchObject({
      iss: ISSUER,
      aud: 'gateway',
      jti: expect.any(String),
    });
  });

  it('takes the secret from the body too', async () => {
    const answer = await fetch(new URL('/oauth/token', await identity.getUrl()), {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: 'agent-7',
        client_secret: AGENT_SECRET,
      }),
    });

    expect(answer.status).toBe(200);
  });

  it('grants no scope that the client does not have', async () => {
    const response = await obtain({ scope: 'sessions:read admin' });

    expect(response.scope).toBe('sessions:read');
    expect((await verify(response.access_token)).scopes).toEqual(['sessions:read']);
  });

  it('issues a token for one of the audiences of the client, and for no other', async () => {
    const { access_token } = await obtain({ resource: 'urn:soma:identity' });

    await expect(verify(access_token, { audience: 'identity' })).resolves.toBeDefined();
    await expect(verify(access_token)).rejects.toMatchObject({ status: 401 });
    for (const resource of ['urn:soma:conversation-worker', 'https://gateway', 'gateway']) {
      const refused = await ask({ resource });
      expect(refused.status).toBe(400);
      expect(await refused.json()).toMatchObject({ error: 'invalid_target' });
    }
  });

  it('answers 401 to a wrong secret, an unknown client and the stored hash', async () => {
    const wrong = await ask({}, { secret: 'wrong' });
    const stolen = await ask({}, { secret: hash('sha256', AGENT_SECRET) });
    const unknown = await fetch(new URL('/oauth/token', await identity.getUrl()), {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`nobody:${AGENT_SECRET}`)}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });

    expect([wrong.status, stolen.status, unknown.status]).toEqual([401, 401, 401]);
    expect(await wrong.json()).toMatchObject({ error: 'invalid_client' });
  });

  it('offers no grant that is meant for others, or for nobody', async () => {
    const refused = await Promise.all(
      ['authorization_code', 'refresh_token', 'password', 'implicit'].map(async (grant_type) => {
        const answer = await ask({ grant_type, code: 'abc', refresh_token: 'abc' });
        const { error } = (await answer.json()) as { error: string };
        return [answer.status, error];
      }),
    );

    expect(refused).toEqual([
      [400, 'invalid_request'],
      [400, 'invalid_request'],
      [400, 'unsupported_grant_type'],
      [400, 'unsupported_grant_type'],
    ]);
  });

  it('shares its keys with the other pods, and keeps them over a restart', async () => {
    await using fresh = await createTestDatabase();
    await migrate(new Secret(fresh.ownerUrl));
    const pods = await Promise.all([1, 2].map(() => startIdentity(fresh)));
    const tokens = await Promise.all(pods.map((pod) => obtain({}, pod)));
    await Promise.all(pods.map((pod) => pod.close()));

    const restarted = await startIdentity(fresh);

    for (const { access_token } of tokens) {
      await expect(verify(access_token, { by: restarted })).resolves.toBeDefined();
    }
    expect(await fresh.execute('SELECT kid FROM identity.signing_keys')).toHaveLength(1);
    await restarted.close();
  });

  it('lets one service call another on behalf of a principal', async () => {
    const authentication = AuthModule.verify(await authenticationFor('conversation-worker'));
    @Module({ imports: [authentication], controllers: [WhoController] })
    class CalleeModule {}
    const callee = await createService(CalleeModule);
    running.defer(() => callee.close());
    await callee.listen(0, '127.0.0.1');
    const tokens = new ServiceTokens({
      tokenUrl: new URL('/oauth/token', await identity.getUrl()).href,
      clientId: 'gateway',
      clientSecret: new Secret(GATEWAY_SECRET),
    });
    const principal = { subject: 'ann', tenant_id: 'globex', scopes: ['sessions:read'] };

    const answer = await internalFetch(new URL('/internal', await callee.getUrl()), {
      token: () => tokens.tokenFor('conversation-worker'),
      headers: await tokens.principalHeader('conversation-worker', principal),
    });

    expect([answer.status, await answer.json()]).toEqual([200, principal]);
    await expect(tokens.tokenFor('identity')).rejects.toThrow('answered 400');
  });

  it('publishes no private part of a key, and stores none in the clear (P8)', async () => {
    const answer = await fetch(new URL('/.well-known/jwks.json', await identity.getUrl()));
    const { keys } = (await answer.json()) as { keys: Record<string, unknown>[] };
    const stored = JSON.stringify(await database.execute('SELECT * FROM identity.signing_keys'));

    expect(keys).toEqual([
      { kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig', ...known(keys[0], ['kid', 'x', 'y']) },
    ]);
    expect(stored).toContain(String(keys[0]?.['kid']));
    expect(stored).not.toContain(String(keys[0]?.['x']));
  });

  it('describes what it serves, and nothing besides', async () => {
    for (const path of ['openid-configuration', 'oauth-authorization-server']) {
      const answer = await fetch(new URL(`/.well-known/${path}`, await identity.getUrl()));
      const document = (await answer.json()) as Record<string, unknown>;

      expect(document).toMatchObject({
        issuer: ISSUER,
        jwks_uri: `${ISSUER}/.well-known/jwks.json`,
        grant_types_supported: expect.not.arrayContaining(['implicit']),
        response_types_supported: ['code'],
        code_challenge_methods_supported: ['S256'],
      });
      const endpoints = Object.entries(document).filter(([name]) => name.endsWith('_endpoint'));
      expect(Object.fromEntries(endpoints)).toEqual({
        authorization_endpoint: `${ISSUER}/oauth/authorize`,
        device_authorization_endpoint: `${ISSUER}/oauth/device/authorization`,
        introspection_endpoint: `${ISSUER}/oauth/introspect`,
        revocation_endpoint: `${ISSUER}/oauth/revoke`,
        token_endpoint: `${ISSUER}/oauth/token`,
      });
    }
  });

  it('carries the headers of every answer, and is ready', async () => {
    const token = await ask();
    const readiness = new URL('/v1/health/ready', await identity.getUrl());
    const ready = await until(async () => {
      const answer = await fetch(readiness);
      return answer.ok ? answer : undefined;
    });

    const health = await fetch(new URL('/v1/health', await identity.getUrl()));

    expect(await health.json()).toMatchObject({
      dependencies: {
        ...{ postgres: { status: 'ok' }, kafka: expect.anything(), redis: expect.anything() },
      },
    });
    expect(token.headers.get('x-request-id')).toMatch(/./);
    expect(token.headers.get('cache-control')).toBe('no-store');
    expect(ready.status).toBe(200);
  });

  it('does not start with another master key', async () => {
    const config = loadConfig(identityConfig, {
      DATABASE_URL: await database.loginUrl('identity'),
      IDENTITY_CLIENTS_FILE: clientsFile,
      SOMA_MASTER_KEY: randomBytes(32).toString('base64'),
    });

    await expect(createService(AppModule.configure(config))).rejects.toThrow('does not open');
  });
});

function claimsOf(token: string): unknown {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

function known(key: Record<string, unknown> | undefined, names: string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, key?.[name]]));
}
