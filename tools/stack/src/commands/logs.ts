import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { followContainer, isComposed } from '../containers.ts';
import { stateDirectory } from '../paths.ts';

/** Follows the log of one service or server, or those of all services, until Ctrl-C. */
export async function logs([name]: string[]): Promise<void> {
  const [command, args] = followerOf(name);
  await once(spawn(command, args, { stdio: 'inherit' }), 'exit');
}

function followerOf(name: string | undefined): [string, string[]] {
  const services = found('logs/*.log', (file) => basename(file, '.log'));
  if (name === undefined && services.size > 0) return follow([...services.values()]);
  const known = new Map([...services, ...found('*/server.log', dirname)]);
  const file = known.get(name ?? '');
  if (file !== undefined) return follow([file]);
  if (name !== undefined && isComposed(name)) return followContainer(name);
  throw new Error(`There is no such log. Known: ${[...known.keys()].join(', ') || 'none yet'}.`);
}

function follow(files: string[]): [string, string[]] {
  return ['tail', ['-n', '50', '-F', ...files]];
}

/** Log files by the name of what writes them. */
function found(pattern: string, nameOf: (file: string) => string): Map<string, string> {
  const files = globSync(pattern, { cwd: stateDirectory }).sort();
  return new Map(files.map((file) => [nameOf(file), join(stateDirectory, file)]));
}
