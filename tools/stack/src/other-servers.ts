import { expectOk } from '@soma/testing';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Something that runs elsewhere or not at all. */
interface OtherServer {
  name: string;
  where: string;
  /** The setting that says where it is. */
  variable: string;
  ask: () => Promise<unknown>;
}

/** One line on each thing that cannot be started here: where it is, or that it is not. */
export async function findOthers(environment: NodeJS.ProcessEnv): Promise<string[]> {
  const qdrant = environment['QDRANT_URL'] ?? 'http://localhost:6333';
  const vault = environment['VAULT_ADDR'] ?? 'http://localhost:8200';
  const docker = environment['DOCKER_HOST'] ?? 'its socket';
  const others: OtherServer[] = [
    {
      name: 'Qdrant',
      where: qdrant,
      variable: 'QDRANT_URL',
      ask: () => expectOk(`${qdrant}/readyz`),
    },
    {
      name: 'Vault',
      where: vault,
      variable: 'VAULT_ADDR',
      ask: () => expectOk(`${vault}/v1/sys/health`),
    },
    {
      name: 'Docker',
      where: docker,
      variable: 'DOCKER_HOST',
      ask: () => promisify(execFile)('docker', ['info'], { timeout: 5_000 }),
    },
  ];
  return Promise.all(others.map(lineOn));
}

async function lineOn({ name, where, variable, ask }: OtherServer): Promise<string> {
  return ask().then(
    () => `${name} answers at ${where}.`,
    () => `${name} does not answer at ${where}: set ${variable}, or do without what needs it.`,
  );
}
