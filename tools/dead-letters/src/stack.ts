import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const stackFile = join(import.meta.dirname, '../../../.soma/stack.json');
const stack = z.object({ kafka_brokers: z.string() });

/** Where the development stack of this checkout has its Kafka, or an empty text without one. */
export async function brokersOfStack(): Promise<string> {
  const text = await readFile(stackFile, 'utf8').catch(() => undefined);
  return text === undefined ? '' : stack.parse(JSON.parse(text)).kafka_brokers;
}
