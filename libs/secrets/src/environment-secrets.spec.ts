import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Secret } from '@soma/kernel';
import { EnvironmentSecrets } from './environment-secrets.ts';
import type { SecretLocation } from './secret-backend.ts';

const location = { tenantId: 'acme', connection: 'our-slack', field: 'signing_secret' };
const NAME = 'SOMA_SECRET__ACME__OUR_SLACK__SIGNING_SECRET';

describe('EnvironmentSecrets', () => {
  it('reads the variable of a place, or the file that it names', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'soma-secrets-'));
    const file = join(folder, 'secret');
    await writeFile(file, 'of the file\n');
    const read = async (environment: Record<string, string>, version?: number) =>
      (await new EnvironmentSecrets(environment).read(location, version))?.reveal();

    expect(await read({ [NAME]: 'of the variable' })).toBe('of the variable');
    expect(await read({ [NAME]: 'of the variable' }, 1)).toBe('of the variable');
    expect(await read({ [NAME]: 'of the variable' }, 2)).toBeUndefined();
    expect(await read({ [`${NAME}_FILE`]: file })).toBe('of the file');
    expect(await read({})).toBeUndefined();
    await rm(folder, { recursive: true });
  });

  it('tells what is set without reading it', () => {
    const has = (environment: Record<string, string>): boolean =>
      new EnvironmentSecrets(environment).has(location);

    expect(has({ [NAME]: 'value' })).toBe(true);
    expect(has({ [`${NAME}_FILE`]: '/run/secrets/slack' })).toBe(true);
    expect([{}, { [NAME]: '' }, { [`${NAME}S`]: 'value' }].map(has)).toEqual(Array(3).fill(false));
  });

  it('changes nothing, and says which variable to set', async () => {
    const backend = new EnvironmentSecrets({ [NAME]: 'value' });

    await expect(backend.write(location)).rejects.toMatchObject({
      code: 'secret_backend_read_only',
      message: expect.stringContaining(`Set ${NAME} there`) as unknown,
    });
    await backend.delete();
    expect(await backend.read(location)).toEqual(new Secret('value'));
  });

  it('never finds one secret at two places (P6)', async () => {
    const parts = [
      'a',
      'A',
      'aa',
      'a-a',
      'a_a',
      'a.a',
      'a--a',
      'a__a',
      '-a',
      'a-',
      '_a',
      'a_',
      '..',
    ];
    const places = parts.flatMap((tenantId) =>
      parts.flatMap((connection) => parts.map((field) => ({ tenantId, connection, field }))),
    );
    const names = await Promise.all(places.map(variable));
    const found = names.filter((name) => name !== undefined);

    expect(found).toContain('SOMA_SECRET__A__A_A__A_A');
    expect(new Set(found).size).toBe(found.length);
    const environment = Object.fromEntries(found.map((name) => [name, name]));
    const backend = new EnvironmentSecrets(environment);
    const read = await Promise.all(places.map((place) => backend.read(place)));
    expect(read.map((secret) => secret?.reveal())).toEqual(names);
  });
});

/** As the message names it. */
async function variable(place: SecretLocation): Promise<string | undefined> {
  const error: unknown = await new EnvironmentSecrets({}).write(place).catch(String);
  return /Set (SOMA_SECRET__[A-Z0-9_]+) there/.exec(String(error))?.[1];
}
