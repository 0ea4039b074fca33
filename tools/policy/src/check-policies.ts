import { runOpa } from './run-opa.ts';

/** @returns How the tests ended. @throws With what OPA has against the policies. */
export async function checkPolicies(policies: string): Promise<string> {
  await runOpa(['check', '--strict', policies]);
  await runOpa(['fmt', '--fail', '--diff', policies]);
  return runOpa(['test', policies]);
}
