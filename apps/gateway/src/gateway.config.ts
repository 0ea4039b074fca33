import { authSettings, limitSettings } from '@soma/auth';
import { httpSettings } from '@soma/http';
import { integerSetting } from '@soma/kernel';
import { llmSettings } from '@soma/llm';
import { auditEventSettings, kafkaSettings } from '@soma/messaging';
import { observabilitySettings } from '@soma/observability';
import { databaseSettings, redisSettings } from '@soma/persistence';
import { z } from 'zod';

/** The settings of the gateway, each under the name of its environment variable. */
export const gatewayConfig = z.object({
  ...httpSettings(8010),
  ...observabilitySettings,
  ...authSettings,
  ...limitSettings,
  ...databaseSettings,
  ...kafkaSettings,
  ...redisSettings,
  ...auditEventSettings,
  ...llmSettings,
  GATEWAY_API_VERSION: z
    .string()
    .regex(/^v\d+$/, 'must be as v1')
    .default('v1')
    .describe('The `X-API-Version` of every answer.'),
  OUTBOX_LIMIT: integerSetting({ default: 1_000_000, min: 1, unit: 'rows' }).describe(
    'How many rows may wait for Kafka before messages are refused with 502.',
  ),
  STREAM_BUFFER_BYTES: integerSetting({ default: 1024 * 1024, min: 1024, unit: 'bytes' }).describe(
    'How much may wait for one slow reader of a stream before it is disconnected.',
  ),
  STORAGE_BUCKET: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of an S3 bucket')
    .optional()
    .describe('The bucket of attachments. Unset: messages with attachments are refused.'),
  CAPSULE_REGISTRY_URL: z
    .url('must be a URL')
    .optional()
    .describe('Base URL of the capsule registry; `/capsules…` is appended. Unset: 503.'),
  IDENTITY_URL: z
    .url('must be a URL')
    .default('http://localhost:8080')
    .describe('Where the identity service is reached, to which its routes are passed on.'),
  CONNECTION_CATALOG_URL: z
    .url('must be a URL')
    .default('http://localhost:8013')
    .describe('Where the connection catalog is reached, to which its routes are passed on.'),
});
export type GatewayConfig = z.output<typeof gatewayConfig>;

/** Under this token the settings are injected. */
export const GATEWAY_CONFIG = Symbol('GATEWAY_CONFIG');
