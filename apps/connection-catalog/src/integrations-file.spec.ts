import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { loadCatalogConfig } from './integrations-file.ts';

const KEY = { SOMA_MASTER_KEY: randomBytes(32).toString('base64') };

describe('the settings of the catalog', () => {
  const folder = mkdtempSync(join(tmpdir(), 'soma-integrations-'));
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  function fileWith(text: string): Record<string, string> {
    const path = join(folder, `${randomBytes(4).toString('hex')}.yaml`);
    writeFileSync(path, text);
    return { ...KEY, INTEGRATIONS_CONFIG_FILE: path };
  }

  const faultsOf = (environment: Record<string, string>): string => {
    try {
      loadCatalogConfig(environment);
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };

  it('have their defaults', () => {
    expect(loadCatalogConfig(KEY)).toMatchObject({
      INTEGRATIONS_ENABLED: true,
      INTEGRATIONS_SECRET_BACKEND_BACKEND_TYPE: 'encrypted_database',
      INTEGRATIONS_SECRET_BACKEND_MASTER_KEY_ENV: 'SOMA_MASTER_KEY',
      INTEGRATIONS_CONNECTIONS_MAX_CONNECTIONS_PER_TYPE: 100,
      INTEGRATIONS_OAUTH_STATE_EXPIRY_SECONDS: 3600,
      INTEGRATIONS_OAUTH_PKCE_REQUIRED: true,
      INTEGRATIONS_OAUTH_AUTO_REFRESH_THRESHOLD_SECONDS: 300,
      INTEGRATIONS_WEBHOOKS_RATE_LIMIT_RPM: 100,
      INTEGRATIONS_WEBHOOKS_REPLAY_WINDOW_SECONDS: 300,
      INTEGRATIONS_WEBHOOKS_MAX_PAYLOAD_BYTES: 1_000_000,
      INTEGRATIONS_WEBHOOKS_VERIFY_SIGNATURES: true,
      INTEGRATIONS_HEALTH_CHECK_INTERVAL_SECONDS: 300,
      INTEGRATIONS_HEALTH_UNHEALTHY_THRESHOLD: 3,
      INTEGRATIONS_TUNNEL_ENABLED: false,
      INTEGRATIONS_MCP_CATALOG_ENABLED: true,
    });
  });

  it('take an empty variable for a value where one can be turned off so', () => {
    const off = { ...KEY, OTEL_EXPORTER_OTLP_ENDPOINT: '' };

    expect(loadCatalogConfig(off).OTEL_EXPORTER_OTLP_ENDPOINT).toBeUndefined();
    expect(loadCatalogConfig(KEY).OTEL_EXPORTER_OTLP_ENDPOINT).toEqual(expect.any(String));
  });

  it('stand in a file, and in the environment before it', () => {
    const environment = fileWith(`
integrations:
  connections: { max_connections_per_type: 7 }
  oauth:
    pkce_required: false
    state_expiry_seconds: 600
`);
    const config = loadCatalogConfig({
      ...environment,
      INTEGRATIONS_OAUTH_STATE_EXPIRY_SECONDS: '900',
      INTEGRATIONS_OAUTH_PKCE_REQUIRED: '',
    });

    expect(config).toMatchObject({
      INTEGRATIONS_CONNECTIONS_MAX_CONNECTIONS_PER_TYPE: 7,
      INTEGRATIONS_OAUTH_PKCE_REQUIRED: false,
      INTEGRATIONS_OAUTH_STATE_EXPIRY_SECONDS: 900,
    });
  });

  it('are refused with every fault at once, of the file and of the environment', () => {
    const environment = fileWith(`
integrations:
  enabld: true
  oauth: { pkce_required: perhaps, state_expiry_seconds: [{ a: 1 }] }
  health: { unhealthy_threshold: 0 }
`);
    const faults = faultsOf({ ...environment, PORT: 'x' });

    for (const fault of [
      'PORT: must be a whole number',
      'INTEGRATIONS_OAUTH_PKCE_REQUIRED: must be true or false',
      'INTEGRATIONS_HEALTH_UNHEALTHY_THRESHOLD: must be at least 1',
      'integrations.enabld: is not a setting',
      'integrations.oauth.state_expiry_seconds: must be a single value or a list of them',
    ]) {
      expect(faults).toContain(fault);
    }
  });

  it('are refused with every fault at once, also of what goes together', () => {
    const servers = join(folder, 'servers.yaml');
    writeFileSync(servers, 'servers: [{ name: wiki }]');
    const environment = {
      ...{ PORT: 'x', DATABASE_URL: 'no url', SOMA_MASTER_KEY: 'short' },
      ...{ INTEGRATIONS_SECRET_BACKEND_BACKEND_TYPE: 'vault' },
      ...{ INTEGRATIONS_TUNNEL_ENABLED: 'true', CLOUDFLARE_TOKEN: 'of another' },
      CLOUDFLARE_TUNNEL_ID: '0199b1c2-7a53-7cc1-8d2e-0a9f4e1b2c3d',
      INTEGRATIONS_CONNECTION_TYPES_DIR: join(folder, 'missing'),
      INTEGRATIONS_MCP_CATALOG_SERVERS_FILE: servers,
    };
    const { NODE_ENV } = process.env;
    delete process.env['NODE_ENV'];
    const faults = faultsOf(environment);
    process.env['NODE_ENV'] = NODE_ENV;

    for (const fault of [
      'PORT: must be a whole number',
      'SOMA_MASTER_KEY: must be 32 random bytes in base64',
      'INTEGRATIONS_SECRET_BACKEND_BACKEND_TYPE: vault needs VAULT_ADDR',
      'INTEGRATIONS_TUNNEL_ENABLED: opens Soma to the internet',
      'CLOUDFLARE_TUNNEL_ID: is not the tunnel that CLOUDFLARE_TOKEN is for',
      'INTEGRATIONS_CONNECTION_TYPES_DIR: the folder cannot be read',
      'INTEGRATIONS_MCP_CATALOG_SERVERS_FILE: servers.0.transport:',
    ]) {
      expect(faults).toContain(fault);
    }
  });

  it('open a tunnel outside of development only where the operator allows it (P7)', () => {
    const environment = { ...KEY, INTEGRATIONS_TUNNEL_ENABLED: 'true' };
    const { NODE_ENV } = process.env;
    const faultsIn = (mode: string | undefined, more: Record<string, string> = {}): string => {
      process.env['NODE_ENV'] = mode;
      if (mode === undefined) delete process.env['NODE_ENV'];
      const faults = faultsOf({ ...environment, ...more });
      process.env['NODE_ENV'] = NODE_ENV;
      return faults;
    };

    expect(faultsIn(undefined)).toContain('INTEGRATIONS_TUNNEL_ENABLED: opens Soma');
    expect(faultsIn('development')).toBe('');
    expect(faultsIn(undefined, { INTEGRATIONS_TUNNEL_OUTSIDE_DEVELOPMENT: 'true' })).toBe('');
    const half = faultsIn('development', { CLOUDFLARE_TOKEN: 'alone' });
    expect(half).toContain('CLOUDFLARE_TUNNEL_ID: must be set together with CLOUDFLARE_TOKEN');
  });

  it('do without signatures in development alone (P7)', () => {
    const environment = { ...KEY, INTEGRATIONS_WEBHOOKS_VERIFY_SIGNATURES: 'false' };
    const { NODE_ENV } = process.env;
    expect(faultsOf(environment)).toBe('');

    delete process.env['NODE_ENV'];
    const faults = faultsOf(environment);
    process.env['NODE_ENV'] = NODE_ENV;

    expect(faults).toContain(
      'INTEGRATIONS_WEBHOOKS_VERIFY_SIGNATURES: must be true, except with NODE_ENV=development',
    );
  });

  it.each([
    ['is not there', { ...KEY, INTEGRATIONS_CONFIG_FILE: '/nowhere.yaml' }, 'ENOENT'],
    ['is not YAML', fileWith('integrations: {'), 'is not YAML'],
    ['has other keys', fileWith('connections: {}'), 'has one key, integrations:'],
  ])('name a file that %s', (_what, environment, fault) => {
    expect(faultsOf(environment)).toContain(fault);
  });
});
