import { booleanSetting, integerSetting, isDevelopment } from '@soma/kernel';
import { z } from 'zod';
import { readDeclaredTypes } from './connection-types/declared-types.ts';
import { readOperatorServers } from './mcp/operator-servers.ts';
import { tunnelSettings } from './tunnel/tunnel.config.ts';

/**
 * The block `integrations:` of the settings. `integrations.oauth.pkce_required` of the file is the
 * variable `INTEGRATIONS_OAUTH_PKCE_REQUIRED` of the environment, which goes before the file.
 */
export const integrationsSettings = {
  INTEGRATIONS_CONFIG_FILE: z
    .string()
    .optional()
    .describe(
      'YAML file with the block `integrations:`. A variable of the environment goes before it.',
    ),
  INTEGRATIONS_ENABLED: booleanSetting(true).describe(
    'Whether partners reach connections at all. `false`: their routes answer 404.',
  ),
  INTEGRATIONS_CONNECTIONS_MAX_CONNECTIONS_PER_TYPE: integerSetting({
    default: 100,
    min: 1,
  }).describe('How many connections of one type a tenant may have.'),
  INTEGRATIONS_CONNECTION_TYPES_DIR: z
    .string()
    .optional()
    .describe(
      'Folder of YAML files, each of which declares a type of connections, besides those that come ' +
        'with the service.',
    ),
  INTEGRATIONS_OAUTH_STATE_EXPIRY_SECONDS: integerSetting({
    default: 3600,
    min: 60,
    unit: 's',
  }).describe('How long somebody may take to agree at the provider.'),
  INTEGRATIONS_OAUTH_PKCE_REQUIRED: booleanSetting(true).describe(
    'Whether PKCE is used where a connection does not say otherwise.',
  ),
  INTEGRATIONS_OAUTH_AUTO_REFRESH_THRESHOLD_SECONDS: integerSetting({
    default: 300,
    min: 1,
    unit: 's',
  }).describe('How long before its end a token is refreshed.'),
  INTEGRATIONS_WEBHOOKS_RATE_LIMIT_RPM: integerSetting({ default: 100, min: 1 }).describe(
    'How many webhooks a minute a connection takes. Nothing takes webhooks yet.',
  ),
  INTEGRATIONS_WEBHOOKS_REPLAY_WINDOW_SECONDS: integerSetting({
    default: 300,
    min: 1,
    unit: 's',
  }).describe('How old a webhook may be. Nothing takes webhooks yet.'),
  INTEGRATIONS_WEBHOOKS_MAX_PAYLOAD_BYTES: integerSetting({
    default: 1_000_000,
    min: 1,
    unit: 'bytes',
  }).describe('How large a webhook may be. Nothing takes webhooks yet.'),
  INTEGRATIONS_WEBHOOKS_VERIFY_SIGNATURES: booleanSetting(true)
    .refine((isOn) => isOn || isDevelopment(), 'must be true, except with NODE_ENV=development')
    .describe(
      'Whether webhooks must be signed. `false` works only with `NODE_ENV=development`. Nothing ' +
        'takes webhooks yet.',
    ),
  INTEGRATIONS_HEALTH_CHECK_INTERVAL_SECONDS: integerSetting({
    default: 300,
    min: 1,
    unit: 's',
  }).describe('How often every connection is tried.'),
  INTEGRATIONS_HEALTH_UNHEALTHY_THRESHOLD: integerSetting({ default: 3, min: 1 }).describe(
    'After how many failures in a row a connection counts as unhealthy.',
  ),
  ...tunnelSettings,
  INTEGRATIONS_MCP_CATALOG_ENABLED: booleanSetting(true).describe(
    'Whether partners reach the catalog of MCP servers. `false`: its routes answer 404.',
  ),
  INTEGRATIONS_MCP_CATALOG_SERVERS_FILE: z
    .string()
    .superRefine(checkOperatorServers)
    .optional()
    .describe(
      'YAML file of the MCP servers that every tenant has. They go before those of the catalog.',
    ),
};

/** Everything that is wrong with the declarations, those that come with the service among them. */
export function checkDeclaredTypes(
  {
    INTEGRATIONS_CONNECTION_TYPES_DIR: folder,
  }: { INTEGRATIONS_CONNECTION_TYPES_DIR?: string | undefined },
  context: z.RefinementCtx,
): void {
  const path = ['INTEGRATIONS_CONNECTION_TYPES_DIR'];
  const { faults } = readDeclaredTypes(folder);
  if (faults.length > 0) {
    context.addIssue({ code: 'custom', path, message: faults.join('; ') });
  }
}

function checkOperatorServers(path: string, context: z.RefinementCtx): void {
  const { faults } = readOperatorServers(path);
  if (faults.length > 0) {
    context.addIssue({ code: 'custom', message: faults.join('; ') });
  }
}
