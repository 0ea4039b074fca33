import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stateDirectory, writePrivately } from './paths.ts';

const secretsFile = join(stateDirectory, 'secrets.json');

/** What a deployment would keep in its vault: made once for this checkout, for development alone. */
export interface DevelopmentSecrets {
  postgresPassword: string;
  /** 32 bytes, base64. */
  masterKey: string;
  /** The same for the credentials of connections: one key is replaced without the other. */
  credentialsMasterKey: string;
  /** Secret of the OAuth client whose tokens developers use. */
  developerSecret: string;
  /** Secret of the OAuth client as which the worker asks other services. */
  workerSecret: string;
  /** Secret of the account of the S3 storage. */
  storageSecret: string;
}

/** Reads the secrets of this checkout, and makes those that it does not have yet. */
export async function loadSecrets(file = secretsFile): Promise<DevelopmentSecrets> {
  const secrets: DevelopmentSecrets = {
    postgresPassword: random('base64url'),
    masterKey: random('base64'),
    credentialsMasterKey: random('base64'),
    developerSecret: random('base64url'),
    workerSecret: random('base64url'),
    storageSecret: random('base64url'),
    ...(await knownSecrets(file)),
  };
  await writePrivately(file, secrets);
  return secrets;
}

async function knownSecrets(file: string): Promise<Partial<DevelopmentSecrets>> {
  if (!existsSync(file)) return {};
  // We wrote the file ourselves.
  return JSON.parse(await readFile(file, 'utf8')) as Partial<DevelopmentSecrets>;
}

function random(encoding: 'base64' | 'base64url'): string {
  return randomBytes(32).toString(encoding);
}
