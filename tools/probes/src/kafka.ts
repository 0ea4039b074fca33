import { KafkaConnection, kafkaSettings } from '@soma/messaging';
import { createLogger } from '@soma/observability';
import { z } from 'zod';
import type { Probe } from './probe.ts';

const settings = z.object(kafkaSettings);

/** Signs in and counts the brokers. */
export const kafka: Probe<typeof settings> = {
  check: 'kafka',
  settings,
  ask: async (config) => {
    // The report is the only line.
    const logger = createLogger({ service: 'probe', level: 'silent' });
    const connection = new KafkaConnection(config, { clientId: 'probe', logger });
    const cluster = await connection.administer((admin) => admin.describeCluster());
    return { brokers: cluster.brokers.length };
  },
};
