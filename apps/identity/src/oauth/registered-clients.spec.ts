import { hash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isSecretOf, readClients } from './registered-clients.ts';

const agent = {
  client_id: 'agent-7',
  client_secret_hash: hash('sha256', 'secret'),
  tenant_id: 'acme',
  scopes: ['sessions:read'],
  audiences: ['gateway'],
};

describe('readClients', () => {
  let folder: string;
  let file: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'soma-clients-'));
    file = join(folder, 'clients.json');
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('reads clients by their ids', async () => {
    await writeFile(file, JSON.stringify([agent]));

    expect((await readClients(file)).get('agent-7')).toEqual(agent);
  });

  it('names every fault of the file at once, and no value', async () => {
    await writeFile(
      file,
      JSON.stringify([
        { ...agent, client_secret_hash: 'hunter2', scopes: ['two scopes'] },
        { ...agent, audiences: [], client_secret: 'hunter2' },
      ]),
    );

    const reading = readClients(file);

    await expect(reading).rejects.toThrow('0.client_secret_hash: must be a SHA-256 in hexadecimal');
    await expect(reading).rejects.toThrow('0.scopes.0: must be a scope without spaces');
    await expect(reading).rejects.toThrow('1.audiences: must name a service');
    await expect(reading).rejects.toThrow('1: Unrecognized key: "client_secret"');
    await expect(reading).rejects.not.toThrow('hunter2');
  });

  it('refuses a client that is there twice', async () => {
    await writeFile(file, JSON.stringify([agent, agent]));

    await expect(readClients(file)).rejects.toThrow('1.client_id: is there twice');
  });

  it.each(['', '{', '{}'])('says that the file cannot be used when it holds %j', async (text) => {
    await writeFile(file, text);

    await expect(readClients(file)).rejects.toThrow('IDENTITY_CLIENTS_FILE');
  });

  it('says that there is no file', async () => {
    await expect(readClients(join(folder, 'missing'))).rejects.toThrow(
      'IDENTITY_CLIENTS_FILE names a file that cannot be read',
    );
  });
});

describe('isSecretOf', () => {
  it('knows the secret by its hash', () => {
    expect(isSecretOf(agent, 'secret')).toBe(true);
    expect(isSecretOf(agent, 'Secret')).toBe(false);
    expect(isSecretOf(agent, agent.client_secret_hash)).toBe(false);
  });
});
