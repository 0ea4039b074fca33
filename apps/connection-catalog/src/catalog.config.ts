import { authSettings, limitSettings } from '@soma/auth';
import { httpSettings, outboundSettings } from '@soma/http';
import { auditEventSettings, kafkaSettings } from '@soma/messaging';
import { observabilitySettings } from '@soma/observability';
import { databaseSettings, redisSettings } from '@soma/persistence';
import { z } from 'zod';
import { checkDeclaredTypes, integrationsSettings } from './integrations.config.ts';
import {
  checkMasterKeys,
  checkSecretBackend,
  masterKeySettings,
  secretBackendSettings,
} from './secrets/secret-settings.ts';
import { checkTunnelSettings, tunnelSettings } from './tunnel/tunnel.config.ts';

const settings = z.object({
  ...httpSettings(8013),
  ...databaseSettings,
  ...redisSettings,
  ...kafkaSettings,
  ...auditEventSettings,
  ...observabilitySettings,
  ...authSettings,
  ...limitSettings,
  ...outboundSettings,
  API_BASE_URL: z
    .url('must be a URL')
    .optional()
    .describe(
      'The address under which browsers reach Soma: where providers send them back to. Unset: the issuer.',
    ),
  ...masterKeySettings,
  ...secretBackendSettings,
  ...integrationsSettings,
});

/** The settings of this service, each under the name of its environment variable. */
export const catalogConfig = settings
  .superRefine(checkMasterKeys, where(masterKeySettings))
  .superRefine(checkSecretBackend, where(secretBackendSettings))
  .superRefine(checkTunnelSettings, where(tunnelSettings))
  .superRefine(checkDeclaredTypes, { when: () => true });
export type CatalogConfig = z.output<typeof catalogConfig>;

/** What goes together is looked at whatever is wrong with other settings: all is told at once. */
function where(own: object): z.core.$ZodSuperRefineParams {
  return {
    when: ({ issues }) => issues.every(({ path }) => !Object.hasOwn(own, String(path?.[0]))),
  };
}

/** Under this token the settings are injected. */
export const CATALOG_CONFIG = Symbol('CATALOG_CONFIG');
