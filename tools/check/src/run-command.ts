import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { workspace } from './paths.ts';

const execute = promisify(execFile);
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Runs a program in the workspace. @returns Its standard output. @throws With what it said. */
export async function runCommand(
  command: string,
  args: string[],
  environment: Record<string, string> = {},
): Promise<string> {
  const env = { ...process.env, ...environment };
  const options = { cwd: workspace, env, maxBuffer: MAX_OUTPUT_BYTES };
  try {
    return (await execute(command, args, options)).stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${args.join(' ')} failed.\n${stdout}${stderr}`, { cause: error });
  }
}
