/**
 * Writes the table of settings, the chart's copies of it and the chart's golden renders.
 * With `--check` it writes nothing and exits with 1 when one of them is stale.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { renderChart } from './chart.ts';
import { settingsFiles, staleFiles } from './generated-files.ts';
import { workspace } from './paths.ts';

async function write(path: string, text: string): Promise<void> {
  const file = join(workspace, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  process.stdout.write(`${path}\n`);
}

function complain(path: string): void {
  process.stderr.write(`${path} is stale: run npm run generate\n`);
  process.exitCode = 1;
}

const handle = process.argv.includes('--check') ? complain : write;
// In this order: the renders read the settings.
for (const make of [settingsFiles, renderChart]) {
  for (const [path, text] of await staleFiles(await make())) {
    await handle(path, text);
  }
}
