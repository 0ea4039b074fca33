import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import { loadConfig } from '@soma/kernel';
import { z } from 'zod';
import {
  checkMasterKeys,
  checkSecretBackend,
  masterKeySettings,
  masterKeysOf,
  type SecretConfig,
  secretBackendSettings,
  vaultOptions,
} from './secret-settings.ts';

const schema = z
  .object({ ...masterKeySettings, ...secretBackendSettings })
  .superRefine(checkMasterKeys)
  .superRefine(checkSecretBackend);
const newKey = (): string => randomBytes(32).toString('base64');
const BACKEND = 'INTEGRATIONS_SECRET_BACKEND';

describe('the settings of secrets', () => {
  const SOMA_MASTER_KEY = newKey();
  const load = (settings: Record<string, string>): SecretConfig =>
    loadConfig(schema, { SOMA_MASTER_KEY, ...settings });

  afterEach(() => {
    delete process.env['OUR_KEY'];
  });

  it('keep credentials in our own database unless they say otherwise', () => {
    const config = load({ SOMA_MASTER_KEY_OTHERS: newKey() });

    expect(config[`${BACKEND}_BACKEND_TYPE`]).toBe('encrypted_database');
    expect(masterKeysOf(config).current.reveal()).toBe(SOMA_MASTER_KEY);
    expect(masterKeysOf(config).others).toHaveLength(1);
  });

  it('take the master key from the variable that is named, and from no other (P7)', () => {
    const named = { [`${BACKEND}_MASTER_KEY_ENV`]: 'OUR_KEY' };

    expect(() => load(named)).toThrow(/again:\n {2}OUR_KEY: must be set$/);
    process.env['OUR_KEY'] = 'short';
    expect(() => load(named)).toThrow('OUR_KEY: must be 32 random bytes in base64');
    process.env['OUR_KEY'] = newKey();
    expect(masterKeysOf(load(named)).current.reveal()).toBe(process.env['OUR_KEY']);
  });

  it('say in one sentence that the master key is missing, whatever the backend (P7)', () => {
    for (const type of ['encrypted_database', 'aws_secrets_manager']) {
      const settings = { SOMA_MASTER_KEY: '', [`${BACKEND}_BACKEND_TYPE`]: type };
      expect(() => load(settings)).toThrow('SOMA_MASTER_KEY: must be set');
    }
  });

  it('say all that a backend lacks', () => {
    const vault = { [`${BACKEND}_BACKEND_TYPE`]: 'secret_manager_vault' };
    const VAULT_ADDR = 'https://vault.example';

    expect(() => load({ ...vault, SOMA_MASTER_KEY: '' })).toThrow(
      /SOMA_MASTER_KEY: must be set.*vault needs VAULT_ADDR/s,
    );
    expect(() => load({ ...vault, VAULT_ADDR })).toThrow('vault needs VAULT_TOKEN');
    expect(() => load({ ...vault, VAULT_ADDR, [`${BACKEND}_VAULT_ROLE_ID`]: 'r' })).toThrow(
      'VAULT_SECRET_ID',
    );
    expect(() => load({ [`${BACKEND}_BACKEND_TYPE`]: 'secret_manager_cloud_b' })).toThrow(
      `needs ${BACKEND}_GCP_PROJECT`,
    );
  });

  it.each([
    [{ VAULT_TOKEN: 't' }, 'token'],
    [{ [`${BACKEND}_VAULT_KUBERNETES_ROLE`]: 'soma' }, 'kubernetes'],
    [{ [`${BACKEND}_VAULT_ROLE_ID`]: 'r', [`${BACKEND}_VAULT_SECRET_ID`]: 's' }, 'approle'],
  ])('sign in to Vault with %o by %s', (login: Record<string, string>, method) => {
    const vault = { [`${BACKEND}_BACKEND_TYPE`]: 'vault', VAULT_ADDR: 'https://vault.example' };

    expect(vaultOptions(load({ ...vault, ...login }))).toMatchObject({
      mount: 'secret',
      login: { method },
    });
  });
});
