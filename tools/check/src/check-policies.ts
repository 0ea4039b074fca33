/** Checks that everything that is taken from elsewhere is pinned. Exits with 1 when it is not. */
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { workspace } from './paths.ts';
import { pinningFaults } from './pinning-faults.ts';

const FILES = [
  'package.json',
  '{apps,libs,tools}/*/package.json',
  'infra/*/package.json',
  '.github/workflows/*.yml',
  'infra/docker/Dockerfile',
  'infra/compose/*.yaml',
];

let faults = 0;
for await (const path of glob(FILES, { cwd: workspace })) {
  for (const fault of pinningFaults(path, await readFile(join(workspace, path), 'utf8'))) {
    process.stderr.write(`${path}: ${fault}\n`);
    faults++;
  }
}
process.exitCode = faults > 0 ? 1 : 0;
