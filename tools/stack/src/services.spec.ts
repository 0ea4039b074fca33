import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { workspace } from './paths.ts';
import { PortChooser } from './ports.ts';
import type { DevelopmentSecrets } from './secrets.ts';
import { environmentOf, planServices } from './services.ts';

const secrets: DevelopmentSecrets = {
  postgresPassword: 'of postgres',
  masterKey: 'of signing keys',
  credentialsMasterKey: 'of credentials',
  developerSecret: 'of the developer',
  workerSecret: 'of the worker',
  storageSecret: 'of the storage',
};

function environment(
  app: string,
  { settings = {}, caller = {} }: Record<string, Record<string, string>> = {},
): Record<string, string> {
  const service = { name: `${app}-2`, app, role: app, port: 8020, url: '', log: '' };
  return environmentOf(service, {
    servers: {
      databaseUrl: 'postgresql://postgres@db/soma',
      redisUrl: 'redis://r',
      kafkaBrokers: 'k:1',
    },
    settings,
    databaseUrl: `postgresql://${app}@db/soma`,
    secrets,
    identityUrl: 'http://localhost:8080',
    clientsFile: '/clients.json',
    environment: caller,
  });
}

describe('planServices', () => {
  it('has every app', async () => {
    const services = await planServices({}, new PortChooser(() => undefined));
    const apps = await readdir(join(workspace, 'apps'));
    expect(services.map(({ app }) => app).sort()).toEqual(apps.sort());
  });

  it('names the pods of an app, each at its own port', async () => {
    const services = await planServices({ gateway: 2 }, new PortChooser(() => undefined));
    const gateways = services.filter(({ app }) => app === 'gateway');
    expect(gateways.map(({ name }) => name)).toEqual(['gateway', 'gateway-2']);
    expect(new Set(services.map(({ url }) => url)).size).toBe(services.length);
  });
});

describe('environmentOf', () => {
  it('gives a service its own port, name and login, and development', () => {
    expect(environment('gateway')).toMatchObject({
      NODE_ENV: 'development',
      PORT: '8020',
      HOSTNAME: 'gateway-2',
      DATABASE_URL: 'postgresql://gateway@db/soma',
      REDIS_URL: 'redis://r',
      KAFKA_BROKERS: 'k:1',
      SERVICE_TOKEN_URL: 'http://localhost:8080/oauth/token',
    });
  });

  it('keeps the key of credentials from the others, and theirs from the catalog', () => {
    expect(environment('connection-catalog')['SOMA_MASTER_KEY']).toBe('of credentials');
    expect(environment('identity')['SOMA_MASTER_KEY']).toBe('of signing keys');
  });

  it('passes on what somebody sets for the services, and no other variable', () => {
    const caller = {
      OPENAI_API_KEY: 'sk-1',
      ANTHROPIC_API_KEY_FILE: '/run/key',
      LOG_LEVEL: 'debug',
      GATEWAY_REQUIRE_AUTH: 'false',
      AWS_SECRET_ACCESS_KEY: 'of somebody else',
      HOME: '/home/me',
    };
    const { AWS_SECRET_ACCESS_KEY, HOME, ...passed } = environment('gateway', { caller });
    expect(passed).toMatchObject({
      OPENAI_API_KEY: 'sk-1',
      ANTHROPIC_API_KEY_FILE: '/run/key',
      LOG_LEVEL: 'debug',
      GATEWAY_REQUIRE_AUTH: 'false',
    });
    expect([AWS_SECRET_ACCESS_KEY, HOME]).toEqual([undefined, undefined]);
  });

  it('lets nobody change what the stack itself decides', () => {
    const caller = { PORT: '1', NODE_ENV: 'production', DATABASE_URL: 'postgresql://elsewhere' };
    expect(environment('gateway', { caller })).toEqual(environment('gateway'));
  });

  it('sends no traces, unless it is told where', () => {
    const told = { caller: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318' } };
    expect(environment('gateway')['OTEL_EXPORTER_OTLP_ENDPOINT']).toBe('');
    expect(environment('gateway', told)['OTEL_EXPORTER_OTLP_ENDPOINT']).toContain(':4318');
  });

  it('tells the services of the servers of --full', () => {
    const settings = { OPA_URL: 'http://localhost:8181' };
    expect(environment('gateway', { settings })).toMatchObject(settings);
  });
});
