import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createService } from '@soma/http';
import { PolicyBundleModule } from './policy-bundle.module.ts';

describe('GET /policy/bundles/somaagent01.tar.gz', () => {
  const running = new AsyncDisposableStack();
  let file: string;

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'soma-bundle-'));
    running.defer(() => rm(folder, { recursive: true }));
    file = join(folder, 'bundle.tar.gz');
    await writeFile(file, 'first');
  });
  afterAll(() => running.disposeAsync());

  async function start(bundle: string | undefined): Promise<string> {
    const service = await createService(PolicyBundleModule.configure(bundle));
    running.defer(() => service.close());
    await service.listen(0, '127.0.0.1');
    return `${await service.getUrl()}/policy/bundles/somaagent01.tar.gz`;
  }

  it('serves the file as it is now, and says when it has not changed', async () => {
    const url = await start(file);
    const first = await fetch(url);
    expect([first.status, await first.text()]).toEqual([200, 'first']);
    const known = { headers: { 'if-none-match': first.headers.get('etag') ?? '' } };
    expect((await fetch(url, known)).status).toBe(304);

    await writeFile(file, 'second');
    const second = await fetch(url, known);
    expect([second.status, await second.text()]).toEqual([200, 'second']);
  });

  it('answers 503 where no bundle was configured', async () => {
    const answer = await fetch(await start(undefined));
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ code: 'policy_bundle_not_configured' });
  });
});
