import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './free-port.ts';

const START_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 20_000;
const SETPRIV = '/usr/bin/setpriv';

/** How one server is started, recognised as ready, and asked to end. */
export interface Launch {
  name: string;
  command: string;
  args: string[];
  /** Standard output and errors are appended here. */
  logFile: string;
  env?: NodeJS.ProcessEnv;
  /** The signal that ends the server in order. */
  stopSignal: NodeJS.Signals;
  /** Resolves once the server serves; rejects while it does not. */
  probe: () => Promise<unknown>;
  /** For a server that refuses to run as root. */
  asNobody?: boolean;
}

/** A server that tests may stop, kill, freeze and start again on the same port and data. */
export interface ServerHandle extends AsyncDisposable {
  /** Changes with every start. */
  readonly pid: number;
  readonly port: number;
  /** Starts the server again after `kill` or `stop`; resolves when it serves. */
  start: () => Promise<void>;
  /** Ends it in order. */
  stop: () => Promise<void>;
  /** Ends it as a power cut would (SIGKILL, its child processes included). */
  kill: () => Promise<void>;
  /** Freezes it (SIGSTOP): its connections stay open and nobody answers. */
  pause: () => void;
  /** Wakes it again (SIGCONT). */
  resume: () => void;
  /** Resolves when it has ended, with how: `exit code 1`, `SIGKILL`. */
  exited: () => Promise<string>;
}

/** One operating-system process of a real server. */
export class ServerProcess {
  readonly #launch: Launch;
  #child: ChildProcess | undefined;

  constructor(launch: Launch) {
    this.#launch = launch;
  }

  get pid(): number {
    const child = this.#child;
    if (!child?.pid || hasEnded(child)) throw new Error(`${this.#launch.name} is not running`);
    return child.pid;
  }

  async start(): Promise<void> {
    const { logFile, env } = this.#launch;
    const log = await open(logFile, 'a');
    const [command, args] = commandLine(this.#launch);
    // A session of its own: Ctrl-C in the terminal must reach only the process that then ends all in order.
    const child = spawn(command, args, {
      stdio: ['ignore', log.fd, log.fd],
      detached: true,
      ...(env && { env: { ...process.env, ...env } }),
    });
    await once(child, 'spawn').finally(() => log.close());
    this.#child = child;
    await this.#untilReady(child);
  }

  async stop(): Promise<void> {
    const ended = await this.#end(() => this.#child?.kill(this.#launch.stopSignal));
    if (!ended) await this.kill();
  }

  async kill(): Promise<void> {
    await this.#end(() => {
      this.signalTree('SIGKILL');
    });
  }

  async exited(): Promise<string> {
    const child = this.#child;
    if (child && !hasEnded(child)) await once(child, 'exit');
    return child?.signalCode ?? `exit code ${child?.exitCode ?? 'unknown'}`;
  }

  /** The parent first, so that it starts no more children meanwhile. */
  signalTree(signal: NodeJS.Signals): void {
    const { pid } = this;
    process.kill(pid, signal);
    for (const child of childrenOf(pid)) signalIfAlive(child, signal);
  }

  async #end(act: () => void): Promise<boolean> {
    const child = this.#child;
    if (!child || hasEnded(child)) return true;
    const exited = once(child, 'exit').then(() => true);
    act();
    return Promise.race([exited, delay(STOP_LIMIT_MS, false, { ref: false })]);
  }

  async #untilReady(child: ChildProcess): Promise<void> {
    const deadline = Date.now() + START_LIMIT_MS;
    let fault: unknown;
    while (Date.now() < deadline && !hasEnded(child)) {
      try {
        await this.#launch.probe();
        return;
      } catch (error) {
        fault = error;
        await delay(50);
      }
    }
    await this.kill();
    const log = await readFile(this.#launch.logFile, 'utf8');
    throw new Error(`${this.#launch.name} did not start. ${log.slice(-2_000)}`, { cause: fault });
  }
}

/** Where a server listens, and what becomes of its folder. */
export interface Housing {
  port: number;
  directory: string;
  /** Whether the folder outlives the server. Without it the server is ended without ceremony. */
  keep: boolean;
}

/**
 * Finds a server its place: the folder that it keeps, or one that is thrown away, and a port that is
 * free where none is named.
 */
export async function housingOf(
  name: string,
  options: { directory?: string; port?: number },
): Promise<Housing> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), `soma-${name}-`)));
  await mkdir(directory, { recursive: true });
  const port = options.port ?? (await freePort());
  return { directory, port, keep: options.directory !== undefined };
}

/** Starts the server of one process, and answers what tests may do with it. */
export async function startServer(server: ServerProcess, housing: Housing): Promise<ServerHandle> {
  const { port, directory, keep } = housing;
  await server.start();
  return {
    port,
    get pid() {
      return server.pid;
    },
    start: () => server.start(),
    stop: () => server.stop(),
    kill: () => server.kill(),
    pause: () => {
      server.signalTree('SIGSTOP');
    },
    resume: () => {
      server.signalTree('SIGCONT');
    },
    exited: () => server.exited(),
    [Symbol.asyncDispose]: async () => {
      await (keep ? server.stop() : server.kill());
      if (!keep) await rm(directory, { recursive: true, force: true });
    },
  };
}

/**
 * On Linux the server gets the stop signal when its parent dies, however the parent dies, so that a
 * killed test run leaves nothing behind.
 */
function commandLine({ command, args, stopSignal, asNobody }: Launch): [string, string[]] {
  if (!existsSync(SETPRIV)) return [command, args];
  const privileges = asNobody ? asNobodyOptions : [];
  return [SETPRIV, ['--pdeathsig', stopSignal.slice(3), ...privileges, command, ...args]];
}

/**
 * An account that exists everywhere, with one privilege: `DAC_OVERRIDE` lets it read a checkout below
 * a private folder such as `/root`. The security bit keeps it for `access(2)`, which looks before
 * programs do and would forget it otherwise.
 */
export const asNobodyOptions = [
  ...['--reuid', '65534', '--regid', '65534', '--clear-groups'],
  ...['--inh-caps=+dac_override', '--ambient-caps=+dac_override'],
  '--securebits=+no_setuid_fixup',
];

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function childrenOf(pid: number): number[] {
  try {
    const output = execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' });
    return output.trim().split('\n').map(Number);
  } catch {
    // pgrep ends with 1 when there are none.
    return [];
  }
}

function signalIfAlive(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
