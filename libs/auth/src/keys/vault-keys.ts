import { readFile } from 'node:fs/promises';
import type { JWK } from 'jose';
import { z } from 'zod';
import { fetchJson, toKeys } from './fetch-json.ts';
import type { KeySource } from './key-source.ts';
import { readKeys } from './written-keys.ts';

/** Where Kubernetes puts the token of a pod's service account. */
const SERVICE_ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

const login = z.object({ auth: z.object({ client_token: z.string() }) });
const secret = z.object({ data: z.object({ data: z.record(z.string(), z.unknown()) }) });

/** Where in a Vault the keys are, and as what a pod asks for them. */
export interface VaultLocation {
  addr: string;
  /** Where the key-value engine (version 2) is mounted. */
  mount: string;
  path: string;
  field: string;
  /** The role of Vault's Kubernetes authentication. */
  role: string;
}

/** Public keys that an administrator keeps in Vault, in PEM or as a JSON Web Key Set. */
export class VaultKeys implements KeySource {
  readonly isOurs = true;
  readonly place: string;

  constructor(
    private readonly location: VaultLocation,
    private readonly tokenFile = SERVICE_ACCOUNT_TOKEN,
  ) {
    this.place = `${location.addr} (${location.mount}/${location.path})`;
  }

  async read(signal: AbortSignal): Promise<JWK[]> {
    const { mount, path, field } = this.location;
    const token = await this.logIn(signal);
    const answer = await fetchJson(this.url([mount, 'data', ...path.split('/')]), {
      signal,
      headers: { 'x-vault-token': token },
    });
    const value = secret.parse(answer).data.data[field];
    if (value === undefined) {
      throw new Error(`${this.place} has no field "${field}".`);
    }
    return typeof value === 'string' ? readKeys(value) : toKeys(value);
  }

  /** Each time anew: the keys are read every few minutes, and there is no token to keep alive. */
  private async logIn(signal: AbortSignal): Promise<string> {
    const jwt = (await readFile(this.tokenFile, 'utf8')).trim();
    const answer = await fetchJson(this.url(['auth', 'kubernetes', 'login']), {
      method: 'POST',
      signal,
      body: JSON.stringify({ role: this.location.role, jwt }),
    });
    return login.parse(answer).auth.client_token;
  }

  private url(parts: string[]): URL {
    return new URL(`/v1/${parts.map(encodeURIComponent).join('/')}`, this.location.addr);
  }
}
