import { requireStack } from '../stack-file.ts';

/** Says of each process whether it runs, and of each service what its own health says. */
export async function status(): Promise<void> {
  const stack = await requireStack();
  const servers = Object.entries(stack.servers).map(([name, { pid, port }]) =>
    line(name, pid ? 'up' : 'down', `port ${port}, pid ${pid ?? '-'}`),
  );
  const services = Object.entries(stack.services).map(async ([name, { pid, url }]) =>
    line(name, await healthOf(url), `${url}, pid ${pid ?? '-'}`),
  );
  process.stdout.write([...servers, ...(await Promise.all(services)), ''].join('\n'));
}

function line(name: string, state: string, where: string): string {
  return `${name.padEnd(24)}${state.padEnd(10)}${where}`;
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
