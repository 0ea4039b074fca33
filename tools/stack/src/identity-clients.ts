import { hash } from 'node:crypto';
import { join } from 'node:path';
import { EVERY_SCOPE } from '@soma/testing';
import { stateDirectory, writePrivately } from './paths.ts';
import type { DevelopmentSecrets } from './secrets.ts';
import { TENANT } from './services.ts';

export const clientsFile = join(stateDirectory, 'identity-clients.json');

const DEVELOPER = 'development';

/** Where a web interface that is being developed is told that somebody has signed in. */
const REDIRECT_URI = 'http://localhost:3000/callback';

/**
 * Writes the file that `identity` reads its clients from: one for programs, one for a web interface
 * and one for a command line. Their tokens open the gateway.
 */
export async function writeClients(secrets: DevelopmentSecrets): Promise<void> {
  const forAll = { scopes: EVERY_SCOPE, audiences: ['gateway'] };
  await writePrivately(clientsFile, [
    {
      client_id: DEVELOPER,
      client_secret_hash: hash('sha256', secrets.developerSecret),
      tenant_id: TENANT,
      ...forAll,
    },
    {
      client_id: 'conversation-worker',
      client_secret_hash: hash('sha256', secrets.workerSecret),
      tenant_id: 'soma',
      scopes: [],
      audiences: ['connection-catalog'],
    },
    { type: 'ui', client_id: 'ui', name: 'Soma', redirect_uris: [REDIRECT_URI], ...forAll },
    { type: 'device', client_id: 'cli', name: 'Soma at the command line', ...forAll },
  ]);
}

/** An access token and when it ends. */
export interface DevelopmentToken {
  token: string;
  expiresAt: Date;
}

/** Asks identity for a token of the developer's client, as a partner would. */
export async function fetchToken(
  identityUrl: string,
  secrets: DevelopmentSecrets,
): Promise<DevelopmentToken> {
  const credentials = `${DEVELOPER}:${secrets.developerSecret}`;
  const response = await fetch(`${identityUrl}/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  });
  if (!response.ok) throw new Error(`identity gave no token: ${response.status}`);
  // RFC 6749 §5.1.
  const body = (await response.json()) as { access_token: string; expires_in: number };
  return {
    token: body.access_token,
    expiresAt: new Date(Date.now() + body.expires_in * 1_000),
  };
}
