import { type AuditReport, clientIdentifier, topicCatalog } from '@soma/contracts';
import { processUser } from '@soma/kernel';
import type { DeadLetters, OpenDeadLetter } from '@soma/messaging';
import { z } from 'zod';

/** What the tool was asked for does not exist, or was asked for in the wrong words. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const USAGE = `Usage: npm run dlq -- <command>
  list [topic]   open dead letters, of one topic or of all
  show <id>      one of them, whole
  replay <id>    send its original to its topic once more
  drop <id>      put it away unhandled`;

/** Prints one value as one line of JSON. */
export type Print = (value: unknown) => void;

/** What the commands work with. */
export interface CommandOptions {
  letters: DeadLetters;
  /** Resolves when the audit log will have the line. */
  record: (report: AuditReport) => Promise<void>;
  /** Its log has what concerns no tenant. */
  operatorTenant: string;
}

/** Runs one command line. */
export async function runCommand(
  options: CommandOptions,
  [command, subject]: readonly (string | undefined)[],
  print: Print,
): Promise<void> {
  const { letters } = options;
  if (command === 'list') {
    await list(letters, subject, print);
    return;
  }
  if (subject === undefined) throw new UsageError(USAGE);
  switch (command) {
    case 'show':
      print(found(subject, await letters.find(subject)));
      return;
    case 'replay':
      await announce(options, 'replay', subject);
      found(subject, (await letters.replay(subject)) || undefined);
      print({ id: subject, outcome: 'replayed' });
      return;
    case 'drop':
      await announce(options, 'drop', subject);
      found(subject, (await letters.drop(subject)) || undefined);
      print({ id: subject, outcome: 'dropped' });
      return;
    default:
      throw new UsageError(USAGE);
  }
}

/**
 * Has the audit log say who does it. Kafka does not take both at once, so the line comes first:
 * nothing is done without one.
 */
async function announce(
  { letters, record, operatorTenant }: CommandOptions,
  act: 'replay' | 'drop',
  id: string,
): Promise<void> {
  const { letter } = found(id, await letters.find(id));
  await record({
    tenant_id: tenantOf(letter.original_event) ?? operatorTenant,
    actor: { subject: processUser(), address: null },
    action: `dead_letter.${act}_requested`,
    target: { type: 'dead_letter', id },
    outcome: 'success',
    request_id: null,
    details: { source_topic: letter.source_topic, error_type: letter.error_type },
  });
}

/** Undefined where it is none of ours, or cannot be read. */
function tenantOf(event: string): string | undefined {
  try {
    return z.object({ tenant_id: clientIdentifier }).parse(JSON.parse(event)).tenant_id;
  } catch {
    return undefined;
  }
}

async function list(letters: DeadLetters, topic: string | undefined, print: Print): Promise<void> {
  const known = topicCatalog.map(({ name }): string => name);
  if (topic !== undefined && !known.includes(topic)) {
    throw new UsageError(`There is no topic "${topic}". There are ${known.join(', ')}.`);
  }
  for (const name of topic === undefined ? known : [topic]) {
    for (const letter of await letters.list(name)) print(summary(letter));
  }
}

/** Without the original: it is long, and what people wrote need not be seen to choose. */
function summary({ id, key, letter }: OpenDeadLetter): object {
  const { source_topic, error_type, error_message, retry_count, timestamp } = letter;
  return { id, key, source_topic, error_type, error_message, retry_count, timestamp };
}

function found<Value>(id: string, value: Value | undefined): Value {
  if (value !== undefined) return value;
  throw new UsageError(`There is no open dead letter "${id}". See: npm run dlq -- list`);
}
