import { loadConfigOrExit } from '@soma/kernel';
import { KafkaConnection } from '@soma/messaging';
import { createLogger } from '@soma/observability';
import { databaseUrl } from '@soma/persistence';
import { configSchema } from './provision.config.ts';
import { provision } from './provision.ts';

const config = loadConfigOrExit(configSchema);
const logger = createLogger({ service: 'provision', level: config.LOG_LEVEL });
try {
  await provision({
    database: databaseUrl(config),
    connection: new KafkaConnection(config, { clientId: 'provision', logger }),
    replicationFactor: config.KAFKA_REPLICATION_FACTOR,
    print: (line) => process.stdout.write(`${line}\n`),
  });
} catch (error) {
  logger.fatal({ error }, 'Provisioning failed.');
  process.exitCode = 1;
}
