/** Checks the chart: helm's lint, Kubernetes' schemas, and what no schema of theirs knows. */
import { join } from 'node:path';
import { goTool } from '@soma/testing';
import { lintChart, renderChart } from './chart.ts';
import { kubernetesSchemas } from './kubernetes-schemas.ts';
import { manifestFaults } from './manifest-faults.ts';
import { workspace } from './paths.ts';
import { runCommand } from './run-command.ts';
import { describeServices } from './services.ts';

await lintChart();
const renders = await renderChart();
const services = await describeServices();
const faults = [...renders].flatMap(([path, manifests]) =>
  manifestFaults(manifests, services).map((fault) => `${path}: ${fault}`),
);
if (faults.length > 0) {
  process.stderr.write(`${faults.join('\n')}\n`);
  process.exit(1);
}
// The golden files themselves: `generate --check` holds them equal to the renders.
const files = [...renders.keys()].map((path) => join(workspace, path));
const judge = ['-strict', '-summary', '-schema-location', await kubernetesSchemas()];
process.stdout.write(await runCommand(await goTool('kubeconform'), [...judge, ...files]));
