import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { goTool } from '@soma/testing';
import { workspace } from './paths.ts';
import { runCommand } from './run-command.ts';

const CHART = 'infra/helm/soma';
const GOLDEN = 'infra/helm/golden';

/** Each `<name>.values.yaml` beside the golden renders, rendered: path → manifests. */
export async function renderChart(): Promise<Map<string, string>> {
  const helm = await goTool('helm');
  const files = await readdir(join(workspace, GOLDEN));
  const renders = new Map<string, string>();
  for (const file of files.filter((name) => name.endsWith('.values.yaml')).sort()) {
    const values = ['--values', `${GOLDEN}/${file}`];
    // Names and versions that a machine's own helm would otherwise put in.
    const where = ['--namespace', 'soma', '--kube-version', '1.35.0'];
    const manifests = await runCommand(helm, ['template', 'soma', CHART, ...values, ...where]);
    renders.set(`${GOLDEN}/${file.replace('.values.yaml', '.yaml')}`, manifests);
  }
  return renders;
}

/** @throws With what helm has against the chart. */
export async function lintChart(): Promise<void> {
  await runCommand(await goTool('helm'), ['lint', '--strict', CHART]);
}
