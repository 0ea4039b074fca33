import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format } from 'prettier';
import { configurationPage } from './configuration-page.ts';
import { workspace } from './paths.ts';
import { describeServices } from './services.ts';

/** The table of settings and the chart's copies of it: path → text. */
export async function settingsFiles(): Promise<Map<string, string>> {
  const services = await describeServices();
  const files = new Map([['docs/configuration.md', configurationPage(services)]]);
  for (const { name, settings } of services) {
    files.set(`infra/helm/soma/settings/${name}.json`, JSON.stringify(settings));
  }
  for (const [path, text] of files) {
    files.set(path, await formatted(path, text));
  }
  return files;
}

/** Those of them whose file is missing or has another text. */
export async function staleFiles(files: ReadonlyMap<string, string>): Promise<[string, string][]> {
  const stale: [string, string][] = [];
  for (const [path, text] of files) {
    const current = await readFile(join(workspace, path), 'utf8').catch(() => undefined);
    if (current !== text) stale.push([path, text]);
  }
  return stale;
}

function formatted(path: string, text: string): Promise<string> {
  return format(text, { filepath: path, singleQuote: true, printWidth: 100 });
}
