import { mkdtemp, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { askStack, listenForControl } from './control.ts';

describe('the control socket', () => {
  const home = process.cwd();

  beforeAll(async () => {
    process.chdir(await mkdtemp(join(tmpdir(), 'soma-control-')));
    await mkdir('.soma');
  });
  afterAll(() => {
    process.chdir(home);
  });

  it('lends a service until the borrower is gone', async () => {
    const back = Promise.withResolvers<string>();
    const released: string[] = [];
    await using server = await listenForControl({
      release: (name) => Promise.resolve(void released.push(name)),
      takeBack: back.resolve,
      down: () => undefined,
    });
    expect(server.listening).toBe(true);
    const loan = await askStack('release gateway');
    expect(released).toEqual(['gateway']);
    loan.destroy();
    expect(await back.promise).toBe('gateway');
  });

  it('says why it cannot lend a service', async () => {
    await using server = await listenForControl({
      release: () => Promise.reject(new Error('There is no service "x".')),
      takeBack: () => undefined,
      down: () => undefined,
    });
    expect(server.listening).toBe(true);
    await expect(askStack('release x')).rejects.toThrow('There is no service "x".');
  });
});
