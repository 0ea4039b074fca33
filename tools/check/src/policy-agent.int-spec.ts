import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort, installedTool, ServerProcess, startHttpServer } from '@soma/testing';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { runCommand } from './run-command.ts';

const helm = installedTool('helm');
const opa = installedTool('opa');
const describeAgent = helm === undefined || opa === undefined ? describe.skip : describe;

const deployment = z.object({
  kind: z.literal('Deployment'),
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    template: z.object({
      spec: z.object({
        initContainers: z.tuple([z.object({ name: z.literal('opa'), args: z.array(z.string()) })]),
      }),
    }),
  }),
});

describeAgent('the policy agent of the chart (skipped where helm or OPA is not installed)', () => {
  const running = new AsyncDisposableStack();
  let folder: string;
  let agents: Map<string, string[]>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'soma-agent-'));
    running.defer(() => rm(folder, { recursive: true }));
    const manifests = await runCommand(helm ?? '', ['template', 'soma', 'infra/helm/soma']);
    agents = new Map(
      parseAllDocuments(manifests)
        .flatMap((document) => deployment.safeParse(document.toJS()).data ?? [])
        .map(({ metadata, spec }) => [metadata.name, spec.template.spec.initContainers[0].args]),
    );
  });
  afterAll(() => running.disposeAsync());

  /** The bundle and its public key, as the ConfigMap brings them into a pod. */
  async function deployPolicies(): Promise<void> {
    const keys = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    });
    const [policy, key] = [join(folder, 'authz.rego'), join(folder, 'signing-key.pem')];
    await writeFile(policy, 'package http.authz\n\ndefault allow := false\n');
    await writeFile(key, keys.privateKey);
    await writeFile(join(folder, 'public-key.pem'), keys.publicKey);
    const signed = ['--signing-alg', 'ES256', '--signing-key', key];
    const output = ['--output', join(folder, 'somaagent01.tar.gz')];
    // Only what is named as a bundle is signed.
    const source = await mkdtemp(join(folder, 'source-'));
    await promisify(execFile)('cp', [policy, source]);
    await promisify(execFile)(opa ?? '', ['build', '--bundle', source, ...signed, ...output]);
  }

  async function startIdentity(): Promise<{ url: string; asked: string[] }> {
    const asked: string[] = [];
    const server = await startHttpServer((request, response) => {
      asked.push(request.url ?? '');
      void readFile(join(folder, 'somaagent01.tar.gz')).then((bundle) => response.end(bundle));
    });
    return { url: running.use(server).url, asked };
  }

  it('stands beside every service; in the pod of identity it asks its neighbour', () => {
    const identities = [...agents].map(([app, args]) => [
      app,
      args.find((arg) => arg.startsWith('--set=services.identity.url='))?.split('=')[2],
    ]);
    expect(identities).toEqual([
      ['connection-catalog', 'http://auth.default.svc.cluster.local:8080'],
      ['conversation-worker', 'http://auth.default.svc.cluster.local:8080'],
      ['gateway', 'http://auth.default.svc.cluster.local:8080'],
      ['identity', 'http://localhost:8080'],
    ]);
  });

  it('takes the signed bundle as it is started there, and is ready only then', async () => {
    await deployPolicies();
    const identity = await startIdentity();
    const [api, health] = [await freePort(), await freePort()];
    const args = agents.get('identity') ?? [];
    const here = args.map((arg) =>
      arg
        .replace('http://localhost:8080', identity.url)
        .replace('/run/policy', folder)
        .replace('127.0.0.1:8181', `127.0.0.1:${api}`)
        .replace('0.0.0.0:8282', `127.0.0.1:${health}`),
    );
    const agent = new ServerProcess({
      name: 'OPA',
      command: opa ?? '',
      args: here,
      logFile: join(folder, 'agent.log'),
      stopSignal: 'SIGTERM',
      // The path of the pod's readiness.
      probe: async () => {
        const response = await fetch(`http://127.0.0.1:${health}/health?bundles`);
        if (!response.ok) throw new Error(`It answers ${response.status}.`);
      },
    });
    running.defer(() => agent.kill());
    await agent.start();

    expect(identity.asked).toContain('/policy/bundles/somaagent01.tar.gz');
    const decision = await fetch(`http://127.0.0.1:${api}/v1/data/http/authz/allow`);
    expect(await decision.json()).toEqual({ result: false });
  });
});
