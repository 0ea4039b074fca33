import { z } from 'zod';
import { askJson, below } from './ask-json.ts';
import type { Probe } from './probe.ts';

/** As in the services' settings. */
const settings = z.object({
  IDENTITY_ISSUER: z.url('must be a URL').default('http://localhost:8080'),
  /** Where identity is reached, if not at the issuer. */
  IDENTITY_URL: z.url('must be a URL').optional(),
  GATEWAY_JWT_JWKS_URL: z.url('must be a URL').optional(),
});

const discovery = z.object({ issuer: z.string(), jwks_uri: z.url() });
const keySet = z.object({ keys: z.array(z.object({ kid: z.string(), alg: z.string() })) });

/** Whether identity is the issuer that the services expect, and publishes keys that they can use. */
export const auth: Probe<typeof settings> = {
  check: 'auth',
  settings,
  ask: async (config, signal) => {
    const { IDENTITY_ISSUER: expected } = config;
    const at = config.IDENTITY_URL ?? expected;
    const document = below(at, '/.well-known/openid-configuration');
    const { issuer } = await askJson({ url: document, signal }, discovery);
    // Letter by letter, as tokens are compared (RFC 8414 §3.3).
    if (issuer !== expected) {
      throw new Error(`It is the issuer ${issuer}, and the services expect ${expected}.`);
    }
    const url = config.GATEWAY_JWT_JWKS_URL ?? below(at, '/.well-known/jwks.json');
    const { keys } = await askJson({ url, signal }, keySet);
    if (!keys.some(({ alg }) => alg === 'ES256')) {
      throw new Error('It publishes no key for ES256.');
    }
    return { keys: keys.map(({ kid }) => kid) };
  },
};
