import { loadConfigOrExit } from '@soma/kernel';
import { CoalescingProducer, DeadLetters, KafkaConnection, kafkaSettings } from '@soma/messaging';
import { createLogger } from '@soma/observability';
import { z } from 'zod';
import { runCommand, UsageError } from './commands.ts';
import { brokersOfStack } from './stack.ts';

// The stack that is up in this checkout, unless the environment says otherwise.
process.env['KAFKA_BROKERS'] ??= await brokersOfStack();
const config = loadConfigOrExit(z.object(kafkaSettings));
const logger = createLogger({ service: 'dead-letters', level: 'silent' });
const connection = new KafkaConnection(config, { clientId: 'dead-letters', logger });
const producer = new CoalescingProducer(connection);
try {
  await runCommand(new DeadLetters(connection, producer), process.argv.slice(2), (value) => {
    process.stdout.write(`${JSON.stringify(value)}\n`);
  });
} catch (error) {
  const isUsage = error instanceof UsageError;
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = isUsage ? 2 : 1;
} finally {
  await producer.onApplicationShutdown();
}
