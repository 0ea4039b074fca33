import { describe, expect, it } from '@jest/globals';
import { installedTool } from '@soma/testing';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { runCommand } from './run-command.ts';

// `npm run check` builds it where it is missing, which takes minutes.
const helm = installedTool('helm');
const describeChart = helm === undefined ? describe.skip : describe;

function render(...settings: string[]): Promise<string> {
  const set = settings.flatMap((setting) => ['--set', setting]);
  return runCommand(helm ?? '', ['template', 'soma', 'infra/helm/soma', ...set]);
}

describeChart('the chart (skipped where helm is not installed)', () => {
  it('refuses a setting that no service has, or not the one it is given to', async () => {
    const nobody = render('settings.LOG_LEVLE=info');
    await expect(nobody).rejects.toThrow('no service has a setting LOG_LEVLE');
    const other = render('apps.identity.settings.MAX_TURNS=1');
    await expect(other).rejects.toThrow('identity has no setting MAX_TURNS');
  });

  it('P8: refuses a secret among the plain settings', async () => {
    const refusal = 'SLM_API_KEY is a secret: name it under secrets';
    await expect(render('settings.SLM_API_KEY=abc')).rejects.toThrow(refusal);
    await expect(render('settings.REDIS_URL=redis://:pw@host')).rejects.toThrow('is a secret');
  });

  it('refuses to deploy a service without a setting that it needs', async () => {
    const refusal = 'identity needs SOMA_MASTER_KEY';
    const keyless = render('apps.identity.secrets.SOMA_MASTER_KEY=null');
    await expect(keyless).rejects.toThrow(refusal);
  });

  it('writes the model of relationships where OpenFGA is already there', async () => {
    const url = 'http://openfga.default.svc.cluster.local:8080';
    const own = jobsOf(await render());
    expect(own.map(({ name, env }) => [name, env['OPENFGA_API_URL']])).toEqual([
      // It runs before anything else of the chart, so that there is nothing to wait for yet.
      ['provision', undefined],
      ['relationships-1', url],
    ]);
    const elsewhere = await render('openfga.enabled=false', 'settings.OPENFGA_API_URL=https://fga');
    const [job, ...others] = jobsOf(elsewhere);
    expect(job?.env['OPENFGA_API_URL']).toBe('https://fga');
    expect(others).toEqual([]);
  });
});

interface Job {
  name: string;
  env: Record<string, string | undefined>;
}

const jobManifest = z.object({
  kind: z.literal('Job'),
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    template: z.object({
      spec: z.object({
        containers: z.tuple([
          z.object({ env: z.array(z.object({ name: z.string(), value: z.string() })) }),
        ]),
      }),
    }),
  }),
});

/** The jobs of a render by name, each with its variables. */
function jobsOf(manifests: string): Job[] {
  return parseAllDocuments(manifests)
    .flatMap((document) => jobManifest.safeParse(document.toJS()).data ?? [])
    .map(({ metadata, spec }) => ({
      name: metadata.name,
      env: Object.fromEntries(
        spec.template.spec.containers[0].env.map(({ name, value }) => [name, value]),
      ),
    }))
    .sort((one, other) => one.name.localeCompare(other.name));
}
