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

  it('gives a pod the token of its account where it signs in to Vault, for either purpose', async () => {
    const forCredentials = 'settings.INTEGRATIONS_SECRET_BACKEND_VAULT_KUBERNETES_ROLE=soma';
    const forKeys = 'settings.GATEWAY_JWT_VAULT_ROLE=soma';
    expect(await podsWith('service-account', forCredentials)).toEqual(['connection-catalog']);
    expect(await podsWith('service-account', forKeys)).toContain('gateway');
    expect(await podsWith('service-account')).toEqual([]);
  });

  it('mounts declared types of connections where they are read', async () => {
    const types = 'connectionTypes.configMap=ours';
    expect(await podsWith('connection-types', types)).toEqual(['connection-catalog']);
    expect(await podsWith('connection-types')).toEqual([]);
  });

  it('hands over what client libraries read, and secrets of chosen names as files', async () => {
    const catalog = 'apps.connection-catalog';
    const rendered = await render(
      `${catalog}.variables.AWS_REGION=eu-central-1`,
      `${catalog}.secretVariables.SOMA_SECRET__ACME__GITHUB__TOKEN.name=ours`,
      `${catalog}.secretVariables.SOMA_SECRET__ACME__GITHUB__TOKEN.key=github`,
    );
    const pod = podsOf(rendered).find(({ name }) => name === 'connection-catalog');
    expect(pod?.env).toMatchObject({
      AWS_REGION: 'eu-central-1',
      SOMA_SECRET__ACME__GITHUB__TOKEN_FILE: '/run/secrets/soma/SOMA_SECRET__ACME__GITHUB__TOKEN',
    });
    expect(rendered).toContain('items: [{ key: github, path: SOMA_SECRET__ACME__GITHUB__TOKEN }]');
    await expect(render(`${catalog}.variables.SOMA_MASTER_KEY=abc`)).rejects.toThrow(
      'SOMA_MASTER_KEY is a setting of connection-catalog',
    );
  });

  it('lets what goes where tenants say reach the internet, and metadata of the node only where Google tells it who it is', async () => {
    const backend = 'settings.INTEGRATIONS_SECRET_BACKEND_BACKEND_TYPE';
    const metadata = '169.254.169.254/32';
    const fenced = (rendered: string): string[] =>
      egressOf(rendered)
        .map(({ name }) => name)
        .sort();
    const reaches = (rendered: string): string[] =>
      egressOf(rendered)
        .filter(({ networks }) => networks.includes(metadata))
        .map(({ name }) => name);
    expect(fenced(await render())).toEqual(['connection-catalog', 'conversation-worker']);
    expect(reaches(await render())).toEqual([]);
    expect(reaches(await render(`${backend}=gcp_secret_manager`))).toEqual(['connection-catalog']);
    expect(reaches(await render(`${backend}=secret_manager_cloud_b`))).toEqual([
      'connection-catalog',
    ]);
  });
});

const deployment = z.object({
  kind: z.literal('Deployment'),
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    template: z.object({
      spec: z.object({
        containers: z
          .tuple([
            z.object({
              env: z
                .array(z.object({ name: z.string(), value: z.string().optional() }))
                .default([]),
            }),
          ])
          .rest(z.unknown()),
        volumes: z.array(z.object({ name: z.string() })).default([]),
      }),
    }),
  }),
});

interface Pod {
  name: string;
  env: Record<string, string | undefined>;
  volumes: string[];
}

/** The deployments of a render. */
function podsOf(manifests: string): Pod[] {
  return documentsOf(manifests, deployment).map(({ metadata, spec }) => {
    const { containers, volumes } = spec.template.spec;
    return {
      name: metadata.name,
      env: Object.fromEntries(containers[0].env.map(({ name, value }) => [name, value])),
      volumes: volumes.map(({ name }) => name),
    };
  });
}

/** Which deployments have a volume. */
async function podsWith(volume: string, ...settings: string[]): Promise<string[]> {
  const pods = podsOf(await render(...settings));
  return pods.filter(({ volumes }) => volumes.includes(volume)).map(({ name }) => name);
}

const policy = z.object({
  kind: z.literal('NetworkPolicy'),
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    egress: z.array(
      z.object({
        to: z.array(z.object({ ipBlock: z.object({ cidr: z.string() }).optional() })),
      }),
    ),
  }),
});

/** Where whoever may not go everywhere may go. */
function egressOf(manifests: string): { name: string; networks: string[] }[] {
  return documentsOf(manifests, policy).map(({ metadata, spec }) => ({
    name: metadata.name,
    networks: spec.egress.flatMap(({ to }) => to.flatMap(({ ipBlock }) => ipBlock?.cidr ?? [])),
  }));
}

function documentsOf<Shape extends z.ZodType>(manifests: string, shape: Shape): z.output<Shape>[] {
  return parseAllDocuments(manifests).flatMap(
    (document) => shape.safeParse(document.toJS()).data ?? [],
  );
}

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
  return documentsOf(manifests, jobManifest)
    .map(({ metadata, spec }) => ({
      name: metadata.name,
      env: Object.fromEntries(
        spec.template.spec.containers[0].env.map(({ name, value }) => [name, value]),
      ),
    }))
    .sort((one, other) => one.name.localeCompare(other.name));
}
