import type { JWK } from 'jose';
import { z } from 'zod';
import { fetchJson, toKeys } from './fetch-json.ts';
import type { KeySource } from './key-source.ts';

const metadata = z.object({ issuer: z.string(), jwks_uri: z.url() });

/** A key set at a known address. */
export class KeysAtUrl implements KeySource {
  readonly isOurs = false;

  constructor(readonly place: string) {}

  async read(signal: AbortSignal): Promise<JWK[]> {
    return toKeys(await fetchJson(this.place, { signal }));
  }
}

/** The key set of any provider that says where it is (OpenID Connect Discovery 1.0). */
export class DiscoveredKeys implements KeySource {
  readonly isOurs = false;
  readonly place: string;

  constructor(private readonly issuer: string) {
    this.place = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  }

  async read(signal: AbortSignal): Promise<JWK[]> {
    const { issuer, jwks_uri } = metadata.parse(await fetchJson(this.place, { signal }));
    // §4.3: otherwise one provider could vouch for the tokens of another.
    if (issuer !== this.issuer) {
      throw new Error(`${this.place} describes another issuer.`);
    }
    if (!jwks_uri.startsWith('https:') && this.issuer.startsWith('https:')) {
      throw new Error(`${this.place} names an address of keys that anyone on the way can change.`);
    }
    return toKeys(await fetchJson(jwks_uri, { signal }));
  }
}
