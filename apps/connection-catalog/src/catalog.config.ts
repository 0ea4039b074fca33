import { authSettings, limitSettings } from '@soma/auth';
import { httpSettings } from '@soma/http';
import { auditEventSettings, kafkaSettings } from '@soma/messaging';
import { observabilitySettings } from '@soma/observability';
import { databaseSettings, redisSettings } from '@soma/persistence';
import { masterKeySetting } from '@soma/secrets';
import { z } from 'zod';
import { integrationsSettings } from './integrations.config.ts';

/** The settings of this service, each under the name of its environment variable. */
export const catalogConfig = z.object({
  ...httpSettings(8013),
  ...databaseSettings,
  ...redisSettings,
  ...kafkaSettings,
  ...auditEventSettings,
  ...observabilitySettings,
  ...authSettings,
  ...limitSettings,
  SOMA_MASTER_KEY: masterKeySetting,
  ...integrationsSettings,
});
export type CatalogConfig = z.output<typeof catalogConfig>;

/** Under this token the settings are injected. */
export const CATALOG_CONFIG = Symbol('CATALOG_CONFIG');
