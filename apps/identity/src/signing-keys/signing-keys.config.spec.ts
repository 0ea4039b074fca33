import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '@soma/kernel';
import { z } from 'zod';
import { signingKeySettings, vaultOptions } from './signing-keys.config.ts';

const schema = z.object({
  ...signingKeySettings,
  GATEWAY_JWT_VAULT_ADDR: z.string().optional(),
  GATEWAY_JWT_VAULT_ROLE: z.string().optional(),
});
const read = (environment: Record<string, string>) => vaultOptions(loadConfig(schema, environment));
const vault = { SIGNING_KEYS_BACKEND: 'vault', GATEWAY_JWT_VAULT_ADDR: 'https://vault' };

describe('the settings of signing keys', () => {
  it('say that the database has them, unless told otherwise', () => {
    expect(read({})).toBeUndefined();
    expect(read({ GATEWAY_JWT_VAULT_ADDR: 'https://vault' })).toBeUndefined();
  });

  it('name a Vault and one way into it', () => {
    const approle = { GATEWAY_JWT_VAULT_ROLE_ID: 'role', GATEWAY_JWT_VAULT_SECRET_ID: 'hunter2' };

    expect(read({ ...vault, GATEWAY_JWT_VAULT_ROLE: 'soma' })).toMatchObject({
      address: 'https://vault',
      mount: 'transit',
      key: 'soma-access-tokens',
      login: { method: 'kubernetes', role: 'soma' },
    });
    expect(read({ ...vault, ...approle })?.login).toMatchObject({ method: 'approle' });
    expect(JSON.stringify(read({ ...vault, ...approle }))).not.toContain('hunter2');
  });

  it.each([
    [{ SIGNING_KEYS_BACKEND: 'vault' }, 'GATEWAY_JWT_VAULT_ADDR'],
    [vault, 'GATEWAY_JWT_VAULT_ROLE'],
    [{ ...vault, GATEWAY_JWT_VAULT_ROLE_ID: 'role' }, 'GATEWAY_JWT_VAULT_SECRET_ID'],
    [{ SIGNING_KEYS_BACKEND: 'file' }, 'must be database or vault'],
  ])('say what is missing: %j', (environment, named) => {
    expect(() => read(environment as Record<string, string>)).toThrow(named);
  });
});
