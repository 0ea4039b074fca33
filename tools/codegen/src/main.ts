/** Writes the files that are made from code. With `--check` it only names those that are stale. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { accessFiles } from './access-files.ts';
import { kafkaSchemas } from './kafka-schemas.ts';
import { openapiDocuments } from './openapi-documents.ts';

const workspace = join(import.meta.dirname, '../../..');
const isCheck = process.argv.includes('--check');

const files = [
  ...(await kafkaSchemas(workspace)),
  ...(await openapiDocuments(workspace)),
  ...(await accessFiles(workspace)),
];
for (const { path, content } of files) {
  const file = join(workspace, path);
  const existing = await readFile(file, 'utf8').catch(() => undefined);
  if (existing === content) continue;
  if (isCheck) {
    process.stderr.write(`${path} is stale: run "npm run generate" and commit it.\n`);
    process.exitCode = 1;
  } else {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
    process.stdout.write(`${path}\n`);
  }
}
