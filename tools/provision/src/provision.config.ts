import { integerSetting, secretSetting } from '@soma/kernel';
import { kafkaSettings } from '@soma/messaging';
import { observabilitySettings } from '@soma/observability';
import { databaseSettings } from '@soma/persistence';
import { z } from 'zod';

/** The settings of the provisioning, each under the name of its environment variable. */
export const configSchema = z.object({
  LOG_LEVEL: observabilitySettings.LOG_LEVEL,
  ...databaseSettings,
  ...kafkaSettings,
  KAFKA_REPLICATION_FACTOR: integerSetting({ min: 1, max: 100 })
    .optional()
    .describe('Copies of each record of new topics. Unset: 1 in development, else 3.'),
  OPENFGA_API_URL: z
    .url('must be a URL')
    .optional()
    .describe('Where OpenFGA is, which knows who is what to whom.'),
  OPENFGA_API_TOKEN: secretSetting
    .optional()
    .describe('The key that OpenFGA asks its callers for.'),
  OPENFGA_STORE: z.string().default('soma').describe('Name of our store in OpenFGA.'),
});
