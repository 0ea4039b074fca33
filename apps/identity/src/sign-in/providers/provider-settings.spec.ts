import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { describeConfig, loadConfig } from '@soma/kernel';
import { z } from 'zod';
import { checkProviderSets, providerSettings } from './provider-settings.ts';

const schema = z.object(providerSettings).superRefine(checkProviderSets);

function pem(namedCurve: string): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

const apple = {
  APPLE_CLIENT_ID: 'app',
  APPLE_TEAM_ID: 'team',
  APPLE_KEY_ID: 'key',
  APPLE_PRIVATE_KEY: pem('P-256'),
};
const microsoft = {
  MICROSOFT_CLIENT_ID: 'id',
  MICROSOFT_CLIENT_SECRET: 'hunter2',
  MICROSOFT_TENANT_ID: '8c2f6a1e-6a0a-4f4e-9a56-0d4a4b1b2c3d',
};

describe('the settings of providers', () => {
  it.each<[string, Record<string, string>]>([
    ['no provider', {}],
    ['GitHub', { GITHUB_CLIENT_ID: 'id', GITHUB_CLIENT_SECRET: 'secret' }],
    ['Microsoft', microsoft],
    ['Apple with a key', apple],
    ['Apple with a secret', { APPLE_CLIENT_ID: 'app', APPLE_CLIENT_SECRET: 'signed' }],
  ])('take %s', (_name, environment) => {
    expect(() => loadConfig(schema, environment)).not.toThrow();
  });

  it.each<[string, Record<string, string>]>([
    ['GITHUB_CLIENT_SECRET: must be set beside GITHUB_CLIENT_ID', { GITHUB_CLIENT_ID: 'id' }],
    ['GOOGLE_CLIENT_ID: must be set beside', { GOOGLE_CLIENT_SECRET: 'hunter2' }],
    ['MICROSOFT_TENANT_ID: must be set', { ...microsoft, MICROSOFT_TENANT_ID: '' }],
    [
      "MICROSOFT_TENANT_ID: must be the directory's id",
      { ...microsoft, MICROSOFT_TENANT_ID: 'common' },
    ],
    [
      'MICROSOFT_TENANT_ID: must be the id of a directory of your own',
      { ...microsoft, MICROSOFT_TENANT_ID: '9188040D-6c67-4c5b-b112-36a304b66dad' },
    ],
    ['APPLE_KEY_ID: must be set beside', { ...apple, APPLE_KEY_ID: '' }],
    ['APPLE_CLIENT_SECRET: is set beside', { ...apple, APPLE_CLIENT_SECRET: 'hunter2' }],
    ['APPLE_PRIVATE_KEY: must be a P-256', { ...apple, APPLE_PRIVATE_KEY: pem('P-384') }],
    ['APPLE_PRIVATE_KEY: must be a P-256', { ...apple, APPLE_PRIVATE_KEY: 'hunter2' }],
  ])('refuse half a set: %s', (message, environment) => {
    const load = () => loadConfig(schema, environment);

    expect(load).toThrow(message);
    expect(load).not.toThrow('hunter2');
  });

  it('are all documented, the secret ones as secrets', () => {
    const described = describeConfig(schema);

    expect(described.filter(({ description }) => description === '')).toEqual([]);
    expect(described.filter(({ secret }) => secret).map(({ name }) => name)).toEqual(
      described.map(({ name }) => name).filter((name) => /SECRET|PRIVATE/.test(name)),
    );
  });
});
