import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { masterKeyEnvOf } from './master-key-env.ts';

describe('the variable of the master key', () => {
  const folder = mkdtempSync(join(tmpdir(), 'soma-secrets-'));
  const file = join(folder, 'integrations.yaml');
  writeFileSync(file, 'integrations: { secret_backend: { master_key_env: OF_THE_FILE } }');
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it.each([
    ['SOMA_MASTER_KEY', {}],
    ['OF_THE_FILE', { INTEGRATIONS_CONFIG_FILE: file }],
    [
      'OURS',
      { INTEGRATIONS_CONFIG_FILE: file, INTEGRATIONS_SECRET_BACKEND_MASTER_KEY_ENV: 'OURS' },
    ],
    [
      'OF_THE_FILE',
      { INTEGRATIONS_CONFIG_FILE: file, INTEGRATIONS_SECRET_BACKEND_MASTER_KEY_ENV: '' },
    ],
  ])('is %s, as the catalog finds it', (name, environment) => {
    expect(masterKeyEnvOf(environment)).toBe(name);
  });
});
