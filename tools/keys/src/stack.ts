import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const stackFile = join(import.meta.dirname, '../../../.soma/stack.json');
const stack = z.object({
  services: z.object({ identity: z.object({ env: z.object({ DATABASE_URL: z.string() }) }) }),
});

/** The database of the stack of this checkout, as identity reaches it; an empty text without one. */
export async function databaseOfStack(): Promise<string> {
  const text = await readFile(stackFile, 'utf8').catch(() => undefined);
  return text === undefined ? '' : stack.parse(JSON.parse(text)).services.identity.env.DATABASE_URL;
}
