import { clientIdentifier } from '@soma/contracts';
import { loadConfigOrExit } from '@soma/kernel';
import { databaseSettings, databaseUrl } from '@soma/persistence';
import { Envelope, loadMasterKeys } from '@soma/secrets';
import { z } from 'zod';
import { runCommand, UsageError } from './commands.ts';
import { masterKeyEnvOf } from './master-key-env.ts';
import { useStack } from './stack.ts';
import { StoredSecrets } from './stored-secrets.ts';

// The stack that is up in this checkout, unless the environment says otherwise.
if (process.env['POSTGRES_HOST'] === undefined && process.env['DATABASE_URL'] === undefined) {
  await useStack(process.env);
}
const config = loadConfigOrExit(
  z.object({ ...databaseSettings, IDENTITY_OPERATOR_TENANT: clientIdentifier.default('soma') }),
);
try {
  const masterKeys = loadMasterKeys(masterKeyEnvOf(process.env));
  const envelope = new Envelope(masterKeys.current, masterKeys.others);
  await using secrets = await StoredSecrets.open({ url: databaseUrl(config) }, envelope);
  await runCommand(secrets, process.argv[2], {
    operatorTenant: config.IDENTITY_OPERATOR_TENANT,
    print: (value) => process.stdout.write(`${JSON.stringify(value)}\n`),
  });
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
