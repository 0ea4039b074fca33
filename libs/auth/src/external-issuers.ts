import { clientIdentifier, memberRole } from '@soma/contracts';
import { z } from 'zod';
import type { KeySource } from './keys/key-source.ts';
import { DiscoveredKeys } from './keys/remote-keys.ts';

/** A provider says who somebody is, and for which tenant. What they may do there, we say. */
const entry = z.strictObject({
  /** Letter by letter as in its tokens. Its keys are found by OpenID Connect Discovery. */
  issuer: z.url('must be a URL'),
  /** What its tokens for Soma have as their `aud`. */
  audience: z.string().min(1),
  /** The claim that names the tenant. */
  tenant_claim: z.string().min(1),
  /** The only tenants that it may speak for: whoever runs a provider can write any name. */
  tenants: z.array(clientIdentifier).min(1),
  /** What everyone whom it vouches for is in their tenant. */
  role: memberRole.default('member'),
});

/** A provider besides identity whose tokens are accepted. */
export interface ExternalIssuer extends z.output<typeof entry> {
  keys: KeySource;
}

/** Reads a list of {@link ExternalIssuer}, written as JSON. */
export const externalIssuersSetting = z
  .string()
  .transform((text, context) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      context.addIssue('must be a JSON array');
      return z.NEVER;
    }
  })
  .pipe(z.array(entry))
  .transform((entries) =>
    entries.map((each): ExternalIssuer => ({ ...each, keys: new DiscoveredKeys(each.issuer) })),
  )
  .default([]);
