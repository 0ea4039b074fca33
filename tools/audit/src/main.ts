import { parseArgs } from 'node:util';
import { loadConfigOrExit } from '@soma/kernel';
import { databaseSettings, databaseUrl } from '@soma/persistence';
import { z } from 'zod';
import { Chains } from './chains.ts';
import { runCommand, UsageError } from './commands.ts';
import { databaseOfStack } from './stack.ts';

// The stack that is up in this checkout, unless the environment says otherwise.
if (process.env['POSTGRES_HOST'] === undefined) {
  process.env['DATABASE_URL'] ??= await databaseOfStack();
}
const config = loadConfigOrExit(z.object(databaseSettings));
try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { tenant: { type: 'string' }, heads: { type: 'string' } },
  });
  await using chains = await Chains.open({ url: databaseUrl(config) });
  const isWhole = await runCommand(chains, { command: positionals[0], ...values }, (value) => {
    process.stdout.write(`${JSON.stringify(value)}\n`);
  });
  process.exitCode = isWhole ? 0 : 1;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 3;
}
