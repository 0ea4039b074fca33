import { auditEvents, clientIdentifier } from '@soma/contracts';
import { loadConfigOrExit } from '@soma/kernel';
import {
  CoalescingProducer,
  DeadLetters,
  KafkaConnection,
  kafkaSettings,
  newAuditEvent,
} from '@soma/messaging';
import { createLogger } from '@soma/observability';
import { z } from 'zod';
import { type CommandOptions, runCommand, UsageError } from './commands.ts';
import { brokersOfStack } from './stack.ts';

// The stack that is up in this checkout, unless the environment says otherwise.
process.env['KAFKA_BROKERS'] ??= await brokersOfStack();
const config = loadConfigOrExit(
  z.object({ ...kafkaSettings, IDENTITY_OPERATOR_TENANT: clientIdentifier.default('soma') }),
);
const logger = createLogger({ service: 'dead-letters', level: 'silent' });
const connection = new KafkaConnection(config, { clientId: 'dead-letters', logger });
const producer = new CoalescingProducer(connection);
try {
  const options: CommandOptions = {
    letters: new DeadLetters(connection, producer),
    operatorTenant: config.IDENTITY_OPERATOR_TENANT,
    record: (report) => {
      const event = newAuditEvent(report);
      const [topic, key] = [auditEvents.name, auditEvents.key(event)];
      return producer.send({ topic, key, value: JSON.stringify(event) });
    },
  };
  await runCommand(options, process.argv.slice(2), (value) => {
    process.stdout.write(`${JSON.stringify(value)}\n`);
  });
} catch (error) {
  const isUsage = error instanceof UsageError;
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = isUsage ? 2 : 1;
} finally {
  await producer.onApplicationShutdown();
}
