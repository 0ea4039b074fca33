import { authSettings } from '@soma/auth';
import { connectionSettings } from '@soma/connections';
import { httpSettings, outboundSettings } from '@soma/http';
import { durationMsSetting, integerSetting } from '@soma/kernel';
import { llmSettings } from '@soma/llm';
import { kafkaSettings } from '@soma/messaging';
import { observabilitySettings } from '@soma/observability';
import { databaseSettings } from '@soma/persistence';
import { z } from 'zod';

const DEFAULT_PORT = 8011;

/** `tenant=weight` pairs between commas, as in `acme=3,globex=0.5`. */
const tenantWeights = z
  .string()
  .default('')
  .transform((text) => text.split(',').filter((pair) => pair !== ''))
  .pipe(
    z.array(
      z
        .string()
        .regex(/^[A-Za-z0-9._-]+=\d+(\.\d+)?$/, 'must be tenant=weight, several between commas')
        .transform((pair) => pair.split('=') as [string, string])
        .transform(([tenant, weight]) => [tenant, Number(weight)] as const)
        // A share of nothing would be a queue that nobody empties.
        .refine(([, weight]) => weight > 0, 'must have a weight above 0'),
    ),
  )
  .transform((pairs) => Object.fromEntries(pairs));

/** The settings of this service, each under the name of its environment variable. */
export const workerConfig = z.object({
  ...httpSettings(DEFAULT_PORT),
  ...observabilitySettings,
  ...databaseSettings,
  ...kafkaSettings,
  ...llmSettings,
  ...authSettings,
  ...connectionSettings,
  ...outboundSettings,
  OUTBOX_LIMIT: integerSetting({ default: 1_000_000, min: 1, unit: 'rows' }).describe(
    'Where counting the rows that wait for Kafka stops.',
  ),
  MAX_TURNS: integerSetting({ default: 64, min: 1, max: 10_000 }).describe(
    'How many turns one worker runs at once. What is beyond waits in the database.',
  ),
  MAX_TURNS_PER_TENANT: integerSetting({ default: 32, min: 1 }).describe(
    'How many turns of one tenant run at once, over all workers.',
  ),
  TENANT_WEIGHTS: tenantWeights.describe(
    '`tenant=weight` between commas: how many times the share of others a tenant gets; above 0.',
  ),
  LEASE_MS: durationMsSetting(10_000).describe(
    'How long a worker that says nothing keeps its turns.',
  ),
  TURN_MAX_AGE_MS: durationMsSetting(600_000).describe(
    'How old a turn may become, from its first claim on. Then it ends as failed.',
  ),
  HISTORY_MAX_TOKENS: integerSetting({ default: 24_000, min: 256, unit: 'tokens' }).describe(
    'How much of a conversation a model is given word for word, of its last 200 turns; what is older is summarised.',
  ),
  DRAIN_MS: durationMsSetting(15_000).describe(
    'How long a worker that is told to stop goes on with its turns before it hands them back.',
  ),
});
export type WorkerConfig = z.output<typeof workerConfig>;
