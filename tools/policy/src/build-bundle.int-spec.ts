import { execFile } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { installedTool, type OpaServer, startOpa, until, startHttpServer } from '@soma/testing';
import { buildBundle } from './build-bundle.ts';
import { checkPolicies } from './check-policies.ts';

const describeOpa = installedTool('opa') ? describe : describe.skip;

describeOpa('the policy bundle', () => {
  const running = new AsyncDisposableStack();
  let folder: string;
  let policies: string;
  let bundle: string;
  let signingKey: string;
  let publicKey: string;

  beforeAll(async () => {
    folder = running.adopt(await mkdtemp(join(tmpdir(), 'soma-bundle-')), (path) =>
      rm(path, { recursive: true }),
    );
    policies = await mkdtemp(join(folder, 'policies-'));
    bundle = join(folder, 'out', 'bundle.tar.gz');
    ({ signingKey, publicKey } = await newKey('own'));
    await writeFile(join(policies, 'door.rego'), DOOR);
    await writeFile(join(policies, 'door_test.rego'), DOOR_TEST);
  });
  afterAll(() => running.disposeAsync());

  async function newKey(name: string): Promise<{ signingKey: string; publicKey: string }> {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const file = join(folder, `${name}.pem`);
    await writeFile(file, pem(pair.privateKey, 'pkcs8'));
    return { signingKey: file, publicKey: pem(pair.publicKey, 'spki') };
  }

  /** An agent that fetches the bundle from a server, as they are deployed. */
  async function startAgent(verificationKey: string): Promise<OpaServer> {
    const server = await startHttpServer((_request, response) => {
      void readFile(bundle).then((content) => response.end(content));
    });
    const { url } = running.use(server);
    const configurationFile = join(folder, `agent-${new URL(url).port}.json`);
    const polling = { min_delay_seconds: 1, max_delay_seconds: 1 };
    const configuration = {
      services: { policy: { url } },
      keys: { soma: { algorithm: 'ES256', key: verificationKey } },
      bundles: {
        soma: { service: 'policy', resource: 'any.tar.gz', polling, signing: { keyid: 'soma' } },
      },
    };
    await writeFile(configurationFile, JSON.stringify(configuration));
    return running.use(await startOpa({ configurationFile, directory: join(folder, 'log') }));
  }

  async function decide(opa: OpaServer, knock: number): Promise<unknown> {
    const response = await fetch(`${opa.url}/v1/data/door/open`, {
      method: 'POST',
      body: JSON.stringify({ input: { knock } }),
    });
    return response.json();
  }

  it('is taken by an agent that knows the key, which then tells its revision', async () => {
    const revision = await buildBundle({ policies, signingKey, output: bundle });
    const opa = await startAgent(publicKey);
    await until(async () => (await fetch(`${opa.url}/health?bundles`)).ok);

    expect(await decide(opa, 3)).toEqual({ result: true });
    expect(await decide(opa, 2)).toEqual({ result: false });
    const told = await fetch(`${opa.url}/v1/data/system/bundles/soma/manifest/revision`);
    expect(await told.json()).toEqual({ result: revision });
  });

  it('P7: is refused by an agent that knows another key, which then decides nothing', async () => {
    await buildBundle({ policies, signingKey, output: bundle });
    const other = await newKey('other');
    const opa = await startAgent(other.publicKey);
    const log = () => readFile(join(folder, 'log', 'server.log'), 'utf8');
    await until(async () => (await log()).includes('verif'));

    expect((await fetch(`${opa.url}/health?bundles`)).ok).toBe(false);
    expect(await decide(opa, 3)).toEqual({});
  });

  it('has the revision of what it holds, without the tests', async () => {
    const build = () => buildBundle({ policies, signingKey, output: bundle });
    const first = await build();
    await writeFile(join(policies, 'door_test.rego'), `${DOOR_TEST}\n# Another word.\n`);
    expect(await build()).toBe(first);
    const { stdout } = await promisify(execFile)('tar', ['-tzf', bundle]);
    expect(stdout).toContain('door.rego');
    expect(stdout).not.toContain('door_test.rego');

    await writeFile(join(policies, 'door.rego'), DOOR.replace('3', '4'));
    expect(await build()).not.toBe(first);
    await writeFile(join(policies, 'door.rego'), DOOR);
  });

  it('comes from policies whose tests are run, and one that fails is told', async () => {
    await writeFile(join(policies, 'door_test.rego'), DOOR_TEST);
    await expect(checkPolicies(policies)).resolves.toContain('PASS: 1/1');
    await writeFile(join(policies, 'door_test.rego'), DOOR_TEST.replace('3', '5'));
    await expect(checkPolicies(policies)).rejects.toThrow('FAIL: 1/1');
  });
});

const DOOR = 'package door\n\ndefault open := false\n\nopen if input.knock == 3\n';
const DOOR_TEST = `package door_test

import data.door

test_open if door.open with input as {"knock": 3}
`;

function pem(key: KeyObject, type: 'pkcs8' | 'spki'): string {
  // A PEM export is text.
  return key.export({ type, format: 'pem' }) as string;
}
