import { createHash, randomUUID } from 'node:crypto';
import { globSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join, matchesGlob } from 'node:path';
import { runOpa, TESTS } from './run-opa.ts';

export interface BundleOptions {
  /** The folder of the policies. */
  policies: string;
  /** File of the private key (P-256, PEM) whose public key the agents know. */
  signingKey: string;
  /** The bundle. It is replaced in one step. */
  output: string;
}

/**
 * Makes the signed bundle that agents fetch and verify.
 *
 * @returns Its revision, which is made from what it holds: equal policies have an equal one.
 */
export async function buildBundle({
  policies,
  signingKey,
  output,
}: BundleOptions): Promise<string> {
  const revision = await revisionOf(policies);
  await mkdir(dirname(output), { recursive: true });
  const partial = `${output}.${randomUUID()}`;
  try {
    await runOpa([
      ...['build', '--bundle', policies, '--ignore', TESTS, '--revision', revision],
      ...['--signing-alg', 'ES256', '--signing-key', signingKey, '--output', partial],
    ]);
    await rename(partial, output);
  } finally {
    await rm(partial, { force: true });
  }
  return revision;
}

async function revisionOf(policies: string): Promise<string> {
  const paths = globSync('**/*.{rego,json,yaml}', { cwd: policies });
  const served = paths.filter((path) => !matchesGlob(path, `**/${TESTS}`)).sort();
  if (served.length === 0) throw new Error(`${policies} holds no policies.`);
  const digest = createHash('sha256');
  for (const path of served) {
    const content = await readFile(join(policies, path));
    digest.update(`${path}\0${content.length}\0`).update(content);
  }
  return digest.digest('hex').slice(0, 16);
}
