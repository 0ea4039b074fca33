import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { PortChooser } from './ports.ts';

describe('PortChooser', () => {
  it('names who holds a port, and takes the next free one', async () => {
    await using server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const taken: string[] = [];
    const chooser = new PortChooser((at, holder) => taken.push(`${at} ${holder}`));
    expect(await chooser.choose(port, 1)).toBeGreaterThan(port);
    expect(await chooser.choose(port, 1)).toBeGreaterThan(port);
    expect(taken.filter((line) => line.startsWith(`${port} `))).toHaveLength(1);
    expect(taken[0]).toMatch(new RegExp(`^${port} .+ \\(pid ${process.pid}\\)$`));
  });

  it('never gives the same port twice', async () => {
    const chooser = new PortChooser(() => undefined);
    const first = await chooser.choose(20_010, 10);
    expect(await chooser.choose(first, 10)).toBeGreaterThan(first);
  });
});
