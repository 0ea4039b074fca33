import { hash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { clientIdentifier } from '@soma/contracts';
import { ConfigError } from '@soma/kernel';
import { z } from 'zod';

/** RFC 6749 §3.3 without the space, which separates scopes. */
const scope = z.string().regex(/^[\x21\x23-\x5B\x5D-\x7E]+$/, 'must be a scope without spaces');

const service = z.strictObject({
  type: z.literal('service').optional(),
  /** Becomes the `sub` of its tokens. */
  client_id: clientIdentifier,
  /**
   * SHA-256 of the secret, in hexadecimal.
   *
   * Not a slow password hash: a client's secret is 32 random bytes and not a word that somebody
   * chose, so that there is nothing to guess, and a slow hash would let anyone keep this service
   * busy by sending wrong secrets.
   */
  client_secret_hash: z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in hexadecimal'),
  /** Whose data its tokens open. */
  tenant_id: clientIdentifier,
  scopes: z.array(scope),
  /** The services that its tokens may be meant for. */
  audiences: z.array(clientIdentifier).min(1, 'must name a service'),
});

/** What speaks for people has no secret: everybody has a copy of it. */
const forPeople = {
  client_id: clientIdentifier,
  /** What people are told that they sign in to. */
  name: z.string().min(1).max(100),
  /** The most that its tokens are good for; the person's role may be good for less. */
  scopes: z.array(scope),
  audiences: z.array(clientIdentifier).min(1, 'must name a service'),
};

const ui = z.strictObject({
  type: z.literal('ui'),
  ...forPeople,
  /** Where a browser is sent back to, letter by letter. */
  redirect_uris: z.array(z.url({ protocol: /^https?$/ })).min(1, 'must name an address'),
});

const device = z.strictObject({ type: z.literal('device'), ...forPeople });

const registeredClient = z.discriminatedUnion('type', [service, ui, device]);
/** A program that may ask for tokens in its own name. */
export type ServiceClient = z.output<typeof service>;
/**
 * What may ask for tokens: a program in its own name (`service`), the web interface (`ui`) or a
 * command line (`device`) for the person who uses it.
 */
export type RegisteredClient = z.output<typeof registeredClient>;

const clientsFile = z.array(registeredClient).superRefine((clients, context) => {
  const seen = new Set<string>();
  for (const [index, { client_id }] of clients.entries()) {
    if (seen.has(client_id)) {
      context.addIssue({ code: 'custom', path: [index, 'client_id'], message: 'is there twice' });
    }
    seen.add(client_id);
  }
});

/** The clients by their ids. */
export type RegisteredClients = ReadonlyMap<string, RegisteredClient>;

/**
 * Reads the clients that an operator wrote down.
 *
 * @throws {@link ConfigError} that names every fault of the file, and none of its values.
 */
export async function readClients(path: string): Promise<RegisteredClients> {
  const result = clientsFile.safeParse(await readJson(path));
  if (!result.success) {
    const lines = result.error.issues.map(
      (issue) => `  ${issue.path.join('.') || 'the file'}: ${issue.message}`,
    );
    throw new ConfigError(`Correct IDENTITY_CLIENTS_FILE and start again:\n${lines.join('\n')}`);
  }
  return new Map(result.data.map((client) => [client.client_id, client]));
}

/** Whether a secret is the one whose hash was registered. */
export function isSecretOf(client: ServiceClient, secret: string): boolean {
  return timingSafeEqual(
    Buffer.from(client.client_secret_hash, 'hex'),
    hash('sha256', secret, 'buffer'),
  );
}

async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ConfigError('IDENTITY_CLIENTS_FILE names a file that cannot be read.', { cause });
  });
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the file.
    throw new ConfigError('IDENTITY_CLIENTS_FILE names a file that is not JSON.');
  }
}
