import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { goTool } from '@soma/testing';

/** What is not served: the tests of policies. */
export const TESTS = '*_test.rego';

/** Runs OPA once. @returns Its standard output. @throws With what it said. */
export async function runOpa(args: string[]): Promise<string> {
  const opa = await goTool('opa');
  try {
    return (await promisify(execFile)(opa, args)).stdout.trimEnd();
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`opa ${args[0] ?? ''} failed.\n${stdout}${stderr}`, { cause: error });
  }
}
