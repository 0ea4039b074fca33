import { loadConfigOrExit } from '@soma/kernel';
import { databaseSettings, databaseUrl } from '@soma/persistence';
import { z } from 'zod';
import { runCommand, UsageError } from './commands.ts';
import { SigningKeys } from './signing-keys.ts';
import { databaseOfStack } from './stack.ts';

// The stack that is up in this checkout, unless the environment says otherwise.
if (process.env['POSTGRES_HOST'] === undefined) {
  process.env['DATABASE_URL'] ??= await databaseOfStack();
}
const config = loadConfigOrExit(z.object(databaseSettings));
try {
  await using keys = await SigningKeys.open({ url: databaseUrl(config) });
  await runCommand(keys, process.argv[2], {
    print: (value) => process.stdout.write(`${JSON.stringify(value)}\n`),
  });
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
