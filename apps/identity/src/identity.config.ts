import { authSettings, limitSettings } from '@soma/auth';
import { clientIdentifier } from '@soma/contracts';
import { httpSettings } from '@soma/http';
import { textSetting } from '@soma/kernel';
import { auditEventSettings, kafkaSettings } from '@soma/messaging';
import { observabilitySettings } from '@soma/observability';
import { databaseSettings, redisSettings } from '@soma/persistence';
import { masterKeySetting } from '@soma/secrets';
import { z } from 'zod';
import { headExportSettings } from './audit/head-export.module.ts';
import { signingKeySettings } from './signing-keys/signing-keys.config.ts';
import { checkProviderSets, providerSettings } from './sign-in/providers/provider-settings.ts';

const settings = z.object({
  ...httpSettings(8080),
  ...databaseSettings,
  ...redisSettings,
  ...kafkaSettings,
  ...auditEventSettings,
  ...headExportSettings,
  ...observabilitySettings,
  ...authSettings,
  ...signingKeySettings,
  API_BASE_URL: z
    .url('must be a URL')
    .optional()
    .describe(
      'The address under which browsers reach Soma; with https, cookies are for https alone. Unset: the issuer.',
    ),
  ...limitSettings,
  IDENTITY_CLIENTS_FILE: textSetting.describe(
    'JSON file of the clients that may ask for tokens. It holds hashes of their secrets alone.',
  ),
  IDENTITY_OPERATOR_TENANT: clientIdentifier
    .default('soma')
    .describe('The tenant of whoever runs Soma. Its services alone may create tenants.'),
  SOMA_MASTER_KEY: masterKeySetting,
  ...providerSettings,
  POLICY_BUNDLE_FILE: textSetting
    .optional()
    .describe(
      'The signed policies that policy agents fetch here. Unset: there is nothing to fetch.',
    ),
});

/** The settings of this service, each under the name of its environment variable. */
export const identityConfig = settings.superRefine(checkProviderSets);
export type IdentityConfig = z.output<typeof identityConfig>;
