import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';

/** What matters here of the file that `INTEGRATIONS_CONFIG_FILE` names. */
const configFile = z.looseObject({
  integrations: z.looseObject({
    secret_backend: z.looseObject({ master_key_env: z.string().optional() }).optional(),
  }),
});

/**
 * The variable that holds the master key: named by the environment, else by the file of the catalog's
 * settings, as the catalog itself finds it.
 */
export function masterKeyEnvOf(environment: Readonly<Record<string, string | undefined>>): string {
  const {
    INTEGRATIONS_SECRET_BACKEND_MASTER_KEY_ENV: named = '',
    INTEGRATIONS_CONFIG_FILE: path = '',
  } = environment;
  return [named, path === '' ? '' : namedIn(path), 'SOMA_MASTER_KEY'].find(Boolean) ?? '';
}

function namedIn(path: string): string | undefined {
  const { integrations } = configFile.parse(parse(readFileSync(path, 'utf8')));
  return integrations.secret_backend?.master_key_env;
}
