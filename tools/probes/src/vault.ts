import { secretSetting } from '@soma/kernel';
import { z } from 'zod';
import { askJson, below } from './ask-json.ts';
import type { Probe } from './probe.ts';

const settings = z.object({
  /** As Vault's own programs read them. The token is asked for only where it is set. */
  VAULT_ADDR: z.url('must be a URL'),
  VAULT_TOKEN: secretSetting.optional(),
});

const health = z.object({ sealed: z.boolean(), initialized: z.boolean(), version: z.string() });
const ownToken = z.object({ data: z.object({ ttl: z.number() }) });
/** Without it a node that is sealed or stands by says so by its status alone. */
const ALWAYS_200 = 'standbyok=true&perfstandbyok=true&sealedcode=200&uninitcode=200';

/** Whether Vault is unsealed, and knows the token. */
export const vault: Probe<typeof settings> = {
  check: 'vault',
  settings,
  ask: async ({ VAULT_ADDR: url, VAULT_TOKEN: token }, signal) => {
    const state = await askJson(
      { url: below(url, `/v1/sys/health?${ALWAYS_200}`), signal },
      health,
    );
    if (!state.initialized || state.sealed) {
      throw new Error(state.initialized ? 'It is sealed.' : 'It is not initialised.');
    }
    if (token === undefined) {
      return { version: state.version };
    }
    const lookUp = below(url, '/v1/auth/token/lookup-self');
    const { data } = await askJson({ url: lookUp, signal, token }, ownToken);
    return { version: state.version, token_ttl_seconds: data.ttl };
  },
};
