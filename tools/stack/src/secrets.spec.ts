import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { loadSecrets } from './secrets.ts';

describe('loadSecrets', () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'soma-secrets-'));
    file = join(folder, 'state', 'secrets.json');
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('makes the secrets of a checkout once, for its owner alone (P8)', async () => {
    const made = await loadSecrets(file);

    expect(await loadSecrets(file)).toEqual(made);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(new Set(Object.values(made)).size).toBe(Object.keys(made).length);
  });

  it('makes master keys as the services take them: 32 bytes in base64', async () => {
    const { masterKey, credentialsMasterKey } = await loadSecrets(file);

    for (const key of [masterKey, credentialsMasterKey]) {
      expect(Buffer.from(key, 'base64')).toHaveLength(32);
      expect(key).toMatch(/^[A-Za-z0-9+/]{43}=$/);
    }
  });

  it('adds what an older checkout does not have, and exchanges nothing', async () => {
    const { credentialsMasterKey, ...older } = await loadSecrets(file);
    await writeFile(file, JSON.stringify(older));
    const grown = await loadSecrets(file);

    expect(grown).toMatchObject(older);
    expect(grown.credentialsMasterKey).not.toBe(credentialsMasterKey);
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(grown);
  });
});
