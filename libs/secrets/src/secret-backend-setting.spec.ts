import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '@soma/kernel';
import { z } from 'zod';
import { secretBackendSetting } from './secret-backend-setting.ts';

describe('secretBackendSetting', () => {
  const load = (BACKEND?: string): unknown =>
    loadConfig(z.object({ BACKEND: secretBackendSetting }), { BACKEND }).BACKEND;

  it.each([
    [undefined, 'encrypted_database'],
    ['encrypted_sqlite', 'encrypted_database'],
    ['env_var', 'env_var'],
    ['secret_manager_vault', 'vault'],
    ['secret_manager_cloud_a', 'aws_secrets_manager'],
    ['secret_manager_cloud_b', 'gcp_secret_manager'],
  ])('takes %s for %s', (name, type) => {
    expect(load(name)).toBe(type);
  });

  it('takes nothing else', () => {
    expect(() => load('sqlite')).toThrow('BACKEND: must be one of encrypted_database, env_var');
    expect(() => load('constructor')).toThrow('BACKEND: must be one of');
  });
});
