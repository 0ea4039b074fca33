import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { cacheDirectory } from './paths.ts';
import { runCommand } from './run-command.ts';

/** Programs that are built from source, once a machine, when they are not installed. */
const GO_TOOLS = {
  helm: 'helm.sh/helm/v4/cmd/helm@v4.3.1',
  kubeconform: 'github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0',
  // From 1.34 on it needs a module that the Go proxy does not serve.
  oasdiff: 'github.com/oasdiff/oasdiff@v1.33.0',
};

type GoTool = keyof typeof GO_TOOLS;

const directory = join(cacheDirectory, 'go-bin');

/** Where a tool is, in the cache or on the `PATH`. */
export function installedTool(name: GoTool): string | undefined {
  const cached = join(directory, name);
  return existsSync(cached) ? cached : onPath(name);
}

/** Where a tool is. One that is not installed is built into the cache, in some minutes. */
export async function goTool(name: GoTool): Promise<string> {
  const installed = installedTool(name);
  if (installed !== undefined) return installed;
  if (onPath('go') === undefined) {
    throw new Error(`${name} is not installed. Install it, or Go, and it is built from source.`);
  }
  process.stderr.write(`Building ${name} once …\n`);
  await runCommand('go', ['install', GO_TOOLS[name]], { GOBIN: directory });
  return join(directory, name);
}

function onPath(name: string): string | undefined {
  const directories = (process.env['PATH'] ?? '').split(delimiter);
  return directories.map((each) => join(each, name)).find((path) => existsSync(path));
}
