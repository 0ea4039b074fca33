import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const stackFile = join(import.meta.dirname, '../../../.soma/stack.json');
const env = z.object({ DATABASE_URL: z.string(), SOMA_MASTER_KEY: z.string() });
const stack = z.object({
  services: z.object({ 'connection-catalog': z.object({ env }) }),
});

/** Takes what is not set from the stack of this checkout, as the connection catalog has it there. */
export async function useStack(environment: NodeJS.ProcessEnv): Promise<void> {
  const text = await readFile(stackFile, 'utf8').catch(() => undefined);
  if (text === undefined) return;
  const service = stack.parse(JSON.parse(text)).services['connection-catalog'];
  environment['DATABASE_URL'] = service.env.DATABASE_URL;
  environment['SOMA_MASTER_KEY'] ??= service.env.SOMA_MASTER_KEY;
}
