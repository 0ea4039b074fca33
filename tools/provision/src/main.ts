import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfigOrExit } from '@soma/kernel';
import { KafkaConnection } from '@soma/messaging';
import { createLogger } from '@soma/observability';
import { databaseUrl } from '@soma/persistence';
import type { z } from 'zod';
import { configSchema } from './provision.config.ts';
import { provision } from './provision.ts';
import type { RelationshipStore } from './relationships.ts';

const config = loadConfigOrExit(configSchema);
const logger = createLogger({ service: 'provision', level: config.LOG_LEVEL });
try {
  await provision({
    database: databaseUrl(config),
    connection: new KafkaConnection(config, { clientId: 'provision', logger }),
    replicationFactor: config.KAFKA_REPLICATION_FACTOR,
    relationships: relationshipStore(config),
    print: (line) => process.stdout.write(`${line}\n`),
  });
} catch (error) {
  logger.fatal({ error }, 'Provisioning failed.');
  process.exitCode = 1;
}

function relationshipStore(settings: z.output<typeof configSchema>): RelationshipStore | undefined {
  if (settings.OPENFGA_API_URL === undefined) return undefined;
  return {
    url: settings.OPENFGA_API_URL,
    token: settings.OPENFGA_API_TOKEN,
    name: settings.OPENFGA_STORE,
    model: readFileSync(join(import.meta.dirname, '../../../infra/openfga/model.fga'), 'utf8'),
  };
}
