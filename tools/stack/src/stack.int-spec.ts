import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ServerProcess, until } from '@soma/testing';
import { workspace } from './paths.ts';
import type { StackState } from './stack-file.ts';

const START_LIMIT_MS = 300_000;

/** The whole program, as a person runs it, with a folder of its own beside the checkout's. */
describe('npm start', () => {
  let directory: string;
  let log: string;
  let program: ServerProcess;
  let starting: Promise<void> | undefined;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'soma-stack-'));
    log = join(directory, 'start.log');
    program = new ServerProcess({
      name: 'npm start',
      command: 'npm',
      args: ['--prefix', workspace, 'start', '--', '--gateways', '2'],
      env: environment(),
      logFile: log,
      stopSignal: 'SIGINT',
      // Only that it runs: it takes longer than a server when the machine is busy.
      probe: () => Promise.resolve(),
    });
  });
  beforeEach(() => (starting ??= start()), START_LIMIT_MS);
  afterAll(async () => {
    await program.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it('prints a conversation that streams an answer when it is pasted', async () => {
    const printed = await readFile(log, 'utf8');
    const [, pasted = ''] =
      /^(TOKEN=[^]+?\n)\n/m.exec(printed.slice(printed.lastIndexOf('TOKEN='))) ?? [];
    const output = await readUntil(['sh', '-c', pasted], /"type":"assistant\.final".*\n/);
    const answer = eventsIn(output);
    const text = answer
      .filter(({ type }) => type === 'assistant.delta')
      .map(textOf)
      .join('');
    expect(output).toMatch(/^\{"session_id":"hello-/);
    expect(answer.at(-1)).toMatchObject({ type: 'assistant.final', message: text });
    expect(text).toContain('gateway for agents');
  });

  it('publishes where everything is, for its owner alone', async () => {
    const state = await readStack();
    const { mode } = await stat(join(directory, 'stack.json'));
    expect(mode & 0o777).toBe(0o600);
    expect(Object.keys(state.servers).sort()).toEqual(['kafka', 'postgres', 'redis']);
    expect(Object.keys(state.services)).toEqual(
      expect.arrayContaining(['gateway', 'gateway-2', 'conversation-worker', 'identity']),
    );
    expect(pidsOf(state).filter((pid) => !isAlive(pid))).toEqual([]);
    expect(state.tenant).toBe('acme');
    expect(state.token).toMatch(/^ey/);
    expect(new URL(state.database_url).pathname).toBe('/soma');
  });

  it('runs several gateways, which all serve the same sessions', async () => {
    const { services, token } = await readStack();
    const id = `several-${Date.now()}`;
    const ask = (pod: string, path: string, init: RequestInit = {}): Promise<Response> =>
      fetch(`${services[pod]?.url ?? ''}${path}`, {
        ...init,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      });
    const body = JSON.stringify({ session_id: id, message: 'Hello.' });
    const accepted = await ask('gateway', '/v1/session/message', { method: 'POST', body });
    expect(accepted.status).toBe(202);
    expect((await ask('gateway-2', `/v1/session/${id}`)).status).toBe(200);
    expect(services['gateway']?.port).not.toBe(services['gateway-2']?.port);
  });

  it('starts a service again that dies, and leaves the others alone', async () => {
    const before = await readStack();
    process.kill(before.services['gateway-2']?.pid ?? 0, 'SIGKILL');
    const after = await until(async () => {
      const state = await readStack();
      const pid = state.services['gateway-2']?.pid;
      return pid !== undefined && pid !== before.services['gateway-2']?.pid && state;
    });
    expect(after.services['gateway']?.pid).toBe(before.services['gateway']?.pid);
    await until(async () => (await readFile(log, 'utf8')).includes('gateway-2 is up again.'));
  });

  it('answers status and logs while it is up', async () => {
    const status = await run('status');
    for (const name of ['postgres', 'redis', 'kafka'])
      expect(status).toMatch(new RegExp(`^${name} +up +port \\d+, pid \\d+$`, 'm'));
    for (const name of ['identity', 'gateway', 'conversation-worker', 'connection-catalog'])
      expect(status).toMatch(new RegExp(`^${name} +ok +http`, 'm'));
    await readUntil(['npm', 'run', '-s', 'stack', '--', 'logs', 'gateway'], /"logger":"gateway"/);
    await readUntil(['npm', 'run', '-s', 'stack', '--', 'logs', 'postgres'], / LOG: /);
  });

  it('is one for each folder', async () => {
    const { pid } = await readStack();
    await expect(run('start')).rejects.toThrow(`A stack is up already (pid ${pid})`);
  });

  it('ends everything that it started', async () => {
    const state = await readStack();
    expect(await run('down')).toBe('The stack has ended.\n');
    expect(await program.exited()).toBe('exit code 0');
    expect(pidsOf(state).filter(isAlive)).toEqual([]);
    expect(existsSync(join(directory, 'stack.json'))).toBe(false);
    await expect(run('status')).rejects.toThrow('No stack is up');
    starting = undefined;
  });

  /** Resolves when the last line of what it prints is there. */
  async function start(): Promise<void> {
    await program.start();
    const ended = program.exited().then(async (how) => {
      throw new Error(`It ended (${how}): ${await readFile(log, 'utf8')}`);
    });
    ended.catch(() => undefined);
    const isUp = async (): Promise<boolean> =>
      (await readFile(log, 'utf8')).endsWith('Stop: Ctrl-C\n\n');
    await Promise.race([until(isUp, START_LIMIT_MS), ended]);
  }

  /** A shell in which nothing is set: what a developer has set, keys of models above all, is not for a test. */
  function environment(): NodeJS.ProcessEnv {
    const kept = ['PATH', 'HOME', 'XDG_CACHE_HOME', 'JAVA_HOME', 'TMPDIR', 'NODE_COMPILE_CACHE'];
    const none = Object.keys(process.env).filter((name) => !kept.includes(name));
    return {
      ...Object.fromEntries(none.map((name) => [name, undefined])),
      SOMA_DIRECTORY: directory,
    };
  }

  async function readStack(): Promise<StackState> {
    return JSON.parse(await readFile(join(directory, 'stack.json'), 'utf8')) as StackState;
  }

  /** What `npm run stack -- <command>` prints. */
  async function run(command: string): Promise<string> {
    const { stdout } = await promisify(execFile)('npm', ['run', '-s', 'stack', '--', command], {
      cwd: workspace,
      env: { ...process.env, ...environment() },
    });
    return stdout;
  }

  /** What a command prints that goes on until somebody ends it. */
  async function readUntil([command = '', ...args]: string[], end: RegExp): Promise<string> {
    const child = spawn(command, args, {
      cwd: workspace,
      env: { ...process.env, ...environment() },
      stdio: ['ignore', 'pipe', 'inherit'],
      // With what it starts: all are ended together.
      detached: true,
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => (output += piece));
    try {
      await until(() => end.test(output) || endedWithout(child, output));
      return output;
    } finally {
      if (child.exitCode === null) process.kill(-(child.pid ?? 0), 'SIGTERM');
    }
  }
});

function endedWithout(child: ChildProcess, output: string): false {
  if (child.exitCode === null) return false;
  throw new Error(`It ended too early, with: ${output}`);
}

interface PrintedEvent {
  type: string;
  message: string;
}

function eventsIn(stream: string): PrintedEvent[] {
  const frames = stream.split('\n').filter((line) => line.startsWith('data: '));
  return frames.map((line) => JSON.parse(line.slice('data: '.length)) as PrintedEvent);
}

function textOf({ message }: PrintedEvent): string {
  return message;
}

function pidsOf({ pid, servers, services }: StackState): number[] {
  const processes = [...Object.values(servers), ...Object.values(services)];
  return [pid, ...processes.map((each) => each.pid ?? 0)];
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
