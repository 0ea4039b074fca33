import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort, installedTool, startOpa, startOpenFga, startTokenIssuer } from '@soma/testing';
import { auth } from './auth.ts';
import { opa } from './opa.ts';
import { openfga } from './openfga.ts';
import { type ProbeReport, runProbe } from './probe.ts';
import { vault } from './vault.ts';

const CANARY = 'canary-Zk3vQ9';
const opaTool = installedTool('opa');
const describeOpa = opaTool ? describe : describe.skip;
const describeOpenFga = installedTool('openfga') ? describe : describe.skip;
const vaultAddress = process.env['VAULT_ADDR'];
const describeVault = vaultAddress === undefined ? describe.skip : describe;
if (vaultAddress === undefined) {
  process.stderr.write('\n*** VAULT_ADDR IS NOT SET: the tests of check-vault are SKIPPED.\n\n');
}

const stack = new AsyncDisposableStack();
let closed: string;

beforeAll(async () => {
  closed = `http://127.0.0.1:${await freePort()}`;
});
afterAll(() => stack.disposeAsync());

describeOpa('check-opa', () => {
  const DENIES = 'package http.authz\n\ndefault allow := false\n\nallow if input.method == "GET"\n';
  const built = new Map<string, Promise<string>>();
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'soma-probe-'));
    stack.defer(() => rm(folder, { recursive: true }));
  });

  /** Built once for each revision. */
  function bundleOf(policy: string, revision: string): Promise<string> {
    const bundle = built.get(revision) ?? build(policy, revision);
    built.set(revision, bundle);
    return bundle;
  }

  async function build(policy: string, revision: string): Promise<string> {
    await writeFile(join(folder, 'authz.rego'), policy);
    const file = join(folder, `${revision}.tar.gz`);
    const source = join(folder, 'authz.rego');
    await promisify(execFile)(opaTool ?? '', ['build', source, '-r', revision, '-o', file]);
    return file;
  }

  async function probe(loaded: string, deployed?: string): Promise<ProbeReport> {
    await using server = await startOpa({ policy: loaded });
    const file = deployed === undefined ? {} : { POLICY_BUNDLE_FILE: deployed };
    return await runProbe(opa, { OPA_URL: server.url, ...file });
  }

  it('tells the revision of policies that deny what they do not know', async () => {
    const bundle = await bundleOf(DENIES, 'r1');
    const report = await probe(bundle, bundle);
    expect(report).toMatchObject({ check: 'opa', ok: true, revision: 'r1' });
  });

  it('fails on an agent that has other policies than were deployed', async () => {
    const [old, deployed] = [await bundleOf(DENIES, 'r1'), await bundleOf(DENIES, 'r2')];
    const report = await probe(old, deployed);
    expect(report).toMatchObject({ ok: false, error: 'It has loaded r1, and the bundle is r2.' });
  });

  it('P7: fails on policies that allow the unknown, or say nothing of it', async () => {
    const open = await bundleOf(DENIES.replace(':= false', ':= true'), 'open');
    const openReport = await probe(open);
    expect(openReport).toMatchObject({ ok: false, error: expect.stringContaining('true') });
    const silent = await bundleOf(DENIES.replace('default allow := false', ''), 'silent');
    const silentReport = await probe(silent);
    expect(silentReport).toMatchObject({ ok: false, error: expect.stringContaining('nothing') });
  });

  it('fails on an agent that has no policies, and says that nobody listens', async () => {
    await using empty = await startOpa();
    const report = await runProbe(opa, { OPA_URL: empty.url });
    expect(report).toMatchObject({ ok: false, error: 'It has loaded no bundle.' });
    const nobody = await runProbe(opa, { OPA_URL: closed });
    expect(nobody).toMatchObject({ ok: false, error: expect.stringContaining('ECONNREFUSED') });
  });

  it('takes the bundle as --policy', async () => {
    const [old, deployed] = [await bundleOf(DENIES, 'r1'), await bundleOf(DENIES, 'r2')];
    await using server = await startOpa({ policy: old });
    const command = `${import.meta.dirname}/../check-opa`;
    const env = { PATH: process.env['PATH'], OPA_URL: server.url };
    const run = (file: string) => promisify(execFile)(command, ['--policy', file], { env });
    expect(JSON.parse((await run(old)).stdout)).toMatchObject({ ok: true });
    await expect(run(deployed)).rejects.toMatchObject({ code: 1 });
  });
});

describeOpenFga('check-openfga', () => {
  const MODEL = { schema_version: '1.1', type_definitions: [{ type: 'user', relations: {} }] };

  async function post(url: string, body: object): Promise<{ id: string }> {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${CANARY}` };
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
    // Both of the answers that matter here have an id, and the other is not read.
    return (await response.json()) as { id: string };
  }

  it('wants one store of our name with a model, and tells which', async () => {
    await using server = await startOpenFga({ apiToken: CANARY });
    const settings = { OPENFGA_API_URL: server.url, OPENFGA_API_TOKEN: CANARY };
    const probe = () => runProbe(openfga, settings);

    expect(await probe()).toMatchObject({
      ok: false,
      error: 'It has 0 stores with the name "soma".',
    });
    const { id } = await post(`${server.url}/stores`, { name: 'soma' });
    expect(await probe()).toMatchObject({ ok: false, error: expect.stringContaining('no model') });
    await post(`${server.url}/stores/${id}/authorization-models`, MODEL);
    expect(await probe()).toMatchObject({ check: 'openfga', ok: true, store: id });
    await post(`${server.url}/stores`, { name: 'soma' });
    expect(await probe()).toMatchObject({ ok: false, error: expect.stringContaining('2 stores') });
  });

  it('P8: does not tell a token that is refused', async () => {
    await using server = await startOpenFga({ apiToken: 'another' });
    const settings = { OPENFGA_API_URL: server.url, OPENFGA_API_TOKEN: CANARY };
    const report = await runProbe(openfga, settings);
    expect(report).toMatchObject({ ok: false, error: '/stores answered 401.' });
    expect(JSON.stringify(report)).not.toContain(CANARY);
  });
});

describe('check-auth', () => {
  it('finds the issuer and its keys', async () => {
    const issuer = stack.use(await startTokenIssuer());
    const report = await runProbe(auth, { IDENTITY_ISSUER: issuer.url });
    expect(report).toMatchObject({ check: 'auth', ok: true, keys: [expect.any(String)] });
  });

  it('fails on another issuer than the services expect', async () => {
    const issuer = stack.use(await startTokenIssuer());
    const settings = { IDENTITY_ISSUER: 'https://id.example.com', IDENTITY_URL: issuer.url };
    const report = await runProbe(auth, settings);
    expect(report).toMatchObject({ ok: false, error: expect.stringContaining(issuer.url) });
  });

  it('says that nobody listens', async () => {
    const report = await runProbe(auth, { IDENTITY_ISSUER: closed });
    expect(report).toMatchObject({ ok: false, error: expect.stringContaining('ECONNREFUSED') });
  });
});

describe('check-vault', () => {
  it('says that nobody listens', async () => {
    const report = await runProbe(vault, { VAULT_ADDR: closed, VAULT_TOKEN: CANARY });
    expect(report).toMatchObject({ ok: false, error: expect.stringContaining('ECONNREFUSED') });
    expect(JSON.stringify(report)).not.toContain(CANARY);
  });

  describeVault('at VAULT_ADDR', () => {
    it('tells its version', async () => {
      const report = await runProbe(vault, { VAULT_ADDR: vaultAddress });
      expect(report).toMatchObject({ check: 'vault', ok: true, version: expect.any(String) });
    });

    it('P8: does not tell a token that is refused', async () => {
      const report = await runProbe(vault, { VAULT_ADDR: vaultAddress, VAULT_TOKEN: CANARY });
      expect(report).toMatchObject({ ok: false, error: expect.stringContaining('403') });
      expect(JSON.stringify(report)).not.toContain(CANARY);
    });
  });
});
