import { booleanSetting, Secret, secretSetting } from '@soma/kernel';
import type { z } from 'zod';

/** The settings by which a service finds Redis; its schema spreads them. */
export const redisSettings = {
  REDIS_URL: secretSetting
    .default(new Secret('redis://localhost:6379'))
    .describe('Where Redis is: `redis://` or `rediss://`.'),
  REDIS_PASSWORD: secretSetting.optional().describe('Password of Redis. It overrides the URL.'),
  REDIS_TLS_ENABLED: booleanSetting(false).describe('Whether Redis is reached over TLS.'),
};

/** The values of {@link redisSettings}. */
export type RedisConfig = z.output<z.ZodObject<typeof redisSettings>>;
