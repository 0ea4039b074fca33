import { Secret } from '@soma/kernel';
import { z } from 'zod';
import type { SecretBackend, SecretLocation } from '../secret-backend.ts';
import { VaultError, type VaultOptions, VaultSession } from './vault-session.ts';

/** Which engine of which Vault keeps secrets. */
export interface VaultSecretsOptions extends VaultOptions {
  /** Where its KV engine of version 2 is mounted. */
  mount: string;
}

const written = z.object({ data: z.object({ version: z.int() }) });
const stored = z.object({ data: z.object({ data: z.object({ value: z.string() }) }) });

/**
 * Keeps secrets in a KV engine (version 2) of HashiCorp Vault: a tenant is a folder, a connection a
 * folder in it, a field an entry. The versions are Vault's own; it keeps the ten newest unless its
 * engine is set otherwise.
 */
export class VaultSecrets implements SecretBackend {
  readonly type = 'vault';
  readonly #session: VaultSession;
  readonly #mount: string;

  constructor(options: VaultSecretsOptions) {
    this.#session = new VaultSession(options);
    this.#mount = options.mount;
  }

  async write(location: SecretLocation, value: Secret): Promise<number> {
    const path = `${this.#mount}/data/${entryOf(location)}`;
    const answer = await this.#session.request('POST', path, {
      body: { data: { value: value.reveal() } },
    });
    return written.parse(answer).data.version;
  }

  async read(location: SecretLocation, version?: number): Promise<Secret | undefined> {
    const path = `${this.#mount}/data/${entryOf(location)}`;
    // 0 is the newest.
    const answer = await this.#find(`${path}?version=${version ?? 0}`);
    return answer === undefined ? undefined : new Secret(stored.parse(answer).data.data.value);
  }

  /** The entry with all its versions, and not the newest one's mark alone. */
  async delete(location: SecretLocation, signal?: AbortSignal): Promise<void> {
    const path = `${this.#mount}/metadata/${entryOf(location)}`;
    await this.#session.request('DELETE', path, { signal });
  }

  async #find(path: string): Promise<unknown> {
    try {
      return await this.#session.request('GET', path);
    } catch (error) {
      if (error instanceof VaultError && error.status === 404) return undefined;
      throw error;
    }
  }
}

/** A tenant may be called `..`: no part of the path is a name that somebody chose alone. */
function entryOf({ tenantId, connection, field }: SecretLocation): string {
  const parts = [`tenant-${tenantId}`, `connection-${connection}`, `field-${field}`];
  return ['soma', ...parts.map(encodeURIComponent)].join('/');
}
