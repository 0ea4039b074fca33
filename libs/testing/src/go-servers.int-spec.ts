import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AwsClient } from 'aws4fetch';
import { installedTool } from './go-tools.ts';
import { createTestDatabase } from './isolation.ts';
import { startObjectStorage } from './object-storage.ts';
import { startOpa } from './opa.ts';
import { startOpenFga } from './openfga.ts';

const describeOpa = installedTool('opa') ? describe : describe.skip;
const describeOpenFga = installedTool('openfga') ? describe : describe.skip;
const describeStorage = installedTool('versitygw') ? describe : describe.skip;

interface Answer {
  status: number;
  body: Record<string, unknown>;
}

async function post(url: string, body: object, token = ''): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  });
  // Both answer with objects alone.
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describeOpa('OPA', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'soma-policy-'));
    const policy = 'package doors\n\ndefault open := false\n\nopen if input.knock == 3\n';
    await writeFile(join(folder, 'doors.rego'), policy);
    // A test that does not even compile: it is no part of what is served.
    await writeFile(
      join(folder, 'doors_test.rego'),
      'package doors_test\n\ntest_nothing if nowhere\n',
    );
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('decides by the policies of a folder, also after it was killed', async () => {
    await using opa = await startOpa({ policy: folder });
    const decide = (knock: number) => post(`${opa.url}/v1/data/doors/open`, { input: { knock } });
    expect((await decide(3)).body).toEqual({ result: true });
    expect((await decide(2)).body).toEqual({ result: false });
    await opa.kill();
    await expect(decide(3)).rejects.toThrow();
    await opa.start();
    expect((await decide(3)).body).toEqual({ result: true });
  });
});

describeOpenFga('OpenFGA', () => {
  it('keeps its stores in PostgreSQL when it is killed', async () => {
    await using database = await createTestDatabase();
    await using openfga = await startOpenFga({ postgresUrl: database.ownerUrl });
    const { status, body } = await post(`${openfga.url}/stores`, { name: 'kept' });
    expect(status).toBe(201);
    await openfga.kill();
    await openfga.start();
    const found = await fetch(`${openfga.url}/stores/${String(body['id'])}`);
    expect(await found.json()).toMatchObject({ name: 'kept' });
  });

  it('asks for the token where it was given one', async () => {
    await using openfga = await startOpenFga({ apiToken: 'right' });
    const create = (token: string) => post(`${openfga.url}/stores`, { name: 'any' }, token);
    expect((await create('wrong')).status).toBe(401);
    expect((await create('right')).status).toBe(201);
  });
});

describeStorage('S3 storage', () => {
  it('keeps an object when it is killed, and gives it to its account alone', async () => {
    const account = { accessKeyId: 'soma', secretAccessKey: 'canary-Zk3vQ9' };
    await using storage = await startObjectStorage({ bucket: 'attachments', ...account });
    const client = new AwsClient({ ...account, service: 's3', region: 'us-east-1' });
    const stranger = new AwsClient({
      ...account,
      secretAccessKey: 'wrong',
      service: 's3',
      region: 'us-east-1',
      retries: 0,
    });
    const object = `${storage.url}/attachments/tenants/acme/note.txt`;

    const put = await client.fetch(object, { method: 'PUT', body: 'kept' });
    expect([put.status, await put.text()]).toEqual([200, '']);
    await storage.kill();
    await storage.start();
    expect(await (await client.fetch(object)).text()).toBe('kept');
    expect((await stranger.fetch(object)).status).toBe(403);
    expect((await fetch(object)).status).toBe(403);
  });
});
