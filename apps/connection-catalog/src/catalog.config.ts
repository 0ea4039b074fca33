import { authSettings, limitSettings } from '@soma/auth';
import { httpSettings, outboundSettings } from '@soma/http';
import { auditEventSettings, kafkaSettings } from '@soma/messaging';
import { observabilitySettings } from '@soma/observability';
import { databaseSettings, redisSettings } from '@soma/persistence';
import { z } from 'zod';
import { integrationsSettings } from './integrations.config.ts';
import { checkSecretSettings, secretSettings } from './secrets/secret-settings.ts';

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
  ...secretSettings,
  ...integrationsSettings,
});

/** The settings of this service, each under the name of its environment variable. */
export const catalogConfig = settings.superRefine(checkSecretSettings);
export type CatalogConfig = z.output<typeof catalogConfig>;

/** Under this token the settings are injected. */
export const CATALOG_CONFIG = Symbol('CATALOG_CONFIG');
