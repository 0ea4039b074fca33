/**
 * The policies by which every service decides (`infra/policy`).
 *
 * `npm run policy -- check` holds them to OPA's strict rules and format, and runs their tests.
 * `npm run policy -- build --signing-key key.pem --output bundle.tar.gz` makes what is deployed.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildBundle } from './build-bundle.ts';
import { checkPolicies } from './check-policies.ts';

const POLICIES = resolve(import.meta.dirname, '../../../infra/policy');

try {
  process.stdout.write(`${await run(process.argv.slice(2))}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

function run([command, ...args]: string[]): Promise<string> {
  switch (command) {
    case 'check':
      return checkPolicies(POLICIES);
    case 'build':
      return build(args);
    default:
      throw new Error('Which one? check, build');
  }
}

/** @returns The revision, which running agents tell too. */
async function build(args: string[]): Promise<string> {
  const options = { 'signing-key': { type: 'string' }, output: { type: 'string' } } as const;
  const { 'signing-key': signingKey, output } = parseArgs({ args, options }).values;
  if (signingKey === undefined || output === undefined) {
    throw new Error('Name the private key (--signing-key, PEM of P-256) and the file (--output).');
  }
  return buildBundle({ policies: POLICIES, signingKey, output });
}
