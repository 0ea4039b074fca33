import { booleanSetting, integerSetting, listSetting, secretSetting } from '@soma/kernel';
import { z } from 'zod';

/** The settings of every process that speaks to Kafka; spread them into its schema. */
export const kafkaSettings = {
  KAFKA_BROKERS: listSetting(['localhost:9092']).describe(
    'Where Kafka is reached at first: `host:port`, several between commas.',
  ),
  KAFKA_TOPIC_PREFIX: z
    .string()
    .default('')
    .describe('What the names of all topics and groups begin with, where clusters are shared.'),
  KAFKA_TLS_ENABLED: booleanSetting(false).describe('Whether Kafka is reached over TLS.'),
  KAFKA_SASL_MECHANISM: z
    .enum(['plain', 'scram-sha-256', 'scram-sha-512'])
    .optional()
    .describe('How to sign in to Kafka. Unset: not at all.'),
  KAFKA_SASL_USERNAME: z.string().default('').describe('The account at Kafka.'),
  KAFKA_SASL_PASSWORD: secretSetting.optional().describe('The password of that account.'),
  KAFKA_SEND_BUFFER_RECORDS: integerSetting({ default: 50_000, min: 1 }).describe(
    'How many records may wait for Kafka in memory. Rows beyond it wait in the outbox.',
  ),
  KAFKA_SEND_BUFFER_BYTES: integerSetting({
    default: 64 * 1024 * 1024,
    min: 1,
    unit: 'bytes',
  }).describe('How much text may wait for Kafka in memory.'),
};

/** The values of {@link kafkaSettings}. */
export type KafkaConfig = z.output<z.ZodObject<typeof kafkaSettings>>;
