import { booleanSetting, Secret, secretSetting } from '@soma/kernel';
import { Redis } from 'ioredis';
import { z } from 'zod';
import type { Probe } from './probe.ts';

/** As in the gateway's settings. */
const settings = z.object({
  REDIS_URL: secretSetting.default(new Secret('redis://localhost:6379')),
  REDIS_PASSWORD: secretSetting.optional(),
  REDIS_TLS_ENABLED: booleanSetting(false),
});

/** Signs in and sends a PING. */
export const redis: Probe<typeof settings> = {
  check: 'redis',
  settings,
  ask: async (config) => {
    const client = new Redis(config.REDIS_URL.reveal(), {
      ...(config.REDIS_PASSWORD && { password: config.REDIS_PASSWORD.reveal() }),
      ...(config.REDIS_TLS_ENABLED && { tls: {} }),
      lazyConnect: true,
      retryStrategy: () => null,
    });
    const fault = new Promise<never>((_, reject) => client.once('error', reject));
    try {
      // The event says why; what the command throws only says that the connection is closed.
      await Promise.race([client.ping(), fault]);
      return {};
    } finally {
      client.disconnect();
    }
  },
};
