import { once } from 'node:events';
import { connect } from 'node:net';
import { requireStack } from '../stack-file.ts';

/** Says of each server whether it listens, and of each service what its own health says. */
export async function status(): Promise<void> {
  const stack = await requireStack();
  const servers = Object.entries(stack.servers).map(async ([name, { pid, port, container }]) =>
    line(name, await stateOf(port), `port ${port}, ${container ?? `pid ${pid ?? '-'}`}`),
  );
  const services = Object.entries(stack.services).map(async ([name, { pid, url }]) =>
    line(name, await healthOf(url), `${url}, pid ${pid ?? '-'}`),
  );
  process.stdout.write([...(await Promise.all([...servers, ...services])), ''].join('\n'));
}

function line(name: string, state: string, where: string): string {
  return `${name.padEnd(24)}${state.padEnd(10)}${where}`;
}

async function stateOf(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(3_000) });
    return 'up';
  } catch {
    return 'down';
  } finally {
    socket.destroy();
  }
}

async function healthOf(url: string): Promise<string> {
  try {
    const response = await fetch(`${url}/v1/health`, { signal: AbortSignal.timeout(3_000) });
    const { status } = (await response.json()) as { status: string };
    return status;
  } catch {
    return 'down';
  }
}
