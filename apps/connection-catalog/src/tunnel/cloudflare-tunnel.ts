import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Secret } from '@soma/kernel';
import { type CloudflaredEvent, readLogLine } from './cloudflared-log.ts';
import { type OpenTunnel, TunnelFailure, type TunnelProvider } from './tunnel-provider.ts';

/** The exit code of a shell that does not find a program. */
const NOT_FOUND = 127;

// Where to go on is read from the standard input of the shell, which the kernel closes when this
// process ends, also by SIGKILL: then cloudflared ends too. No signal and no timer can do that.
const GUARD = `
  exec 3<&0
  "$@" </dev/null 3<&- &
  tunnel=$!
  { cat <&3 >/dev/null; kill -KILL "$tunnel"; } 2>/dev/null &
  exec 3<&-
  wait "$tunnel"
`;

/** The token is in the environment: everybody on the machine can read arguments. */
const COMMAND = [
  'cloudflared',
  ...['tunnel', '--no-autoupdate', '--metrics', '127.0.0.1:0', '--output', 'json', 'run'],
];

/** How cloudflared is run. */
export interface CloudflareOptions {
  token: Secret;
  /** Default: this process's own. */
  path?: string | undefined;
}

/**
 * Cloudflare's program `cloudflared`. Where its tunnel leads, and under which name, is set at
 * Cloudflare; it says so once it is connected.
 */
export function cloudflareProvider(options: CloudflareOptions): TunnelProvider {
  return { name: 'cloudflare', open: (signal) => openTunnel(options, signal) };
}

async function openTunnel(options: CloudflareOptions, signal: AbortSignal): Promise<OpenTunnel> {
  const program = new Cloudflared(options);
  const late = Promise.withResolvers<never>();
  const giveUp = (): void => {
    late.reject(new TunnelFailure('cloudflared was not connected in time.'));
  };
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    const publicUrl = await Promise.race([program.address, late.promise]);
    return { publicUrl, ended: program.ended, close: () => program.close() };
  } catch (error) {
    await program.close();
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

/** cloudflared while it runs, behind its guard. */
class Cloudflared {
  readonly #child;
  readonly #token: Secret;
  readonly #address = Promise.withResolvers<string>();
  #isConnected = false;
  #hostnames: string[] | undefined;
  #lastError = '';
  /** Resolves with a sentence that says how. */
  readonly ended: Promise<string>;

  constructor({ token, path = process.env['PATH'] }: CloudflareOptions) {
    this.#token = token;
    this.#child = spawn('sh', ['-c', GUARD, 'sh', ...COMMAND], {
      stdio: ['pipe', 'ignore', 'pipe'],
      env: { PATH: path, HOME: process.env['HOME'], TUNNEL_TOKEN: token.reveal() },
    });
    // The pipe is read to the end, or cloudflared would wait for room in it.
    createInterface({ input: this.#child.stderr }).on('line', (line) => {
      this.#take(readLogLine(line));
    });
    this.ended = this.#waitForEnd();
    void this.ended.then((ending) => {
      this.#address.reject(new TunnelFailure(ending));
    });
  }

  /** Resolves once it is connected and knows its name. */
  get address(): Promise<string> {
    return this.#address.promise;
  }

  async close(): Promise<void> {
    this.#child.stdin.destroy();
    await this.ended;
  }

  #take(event: CloudflaredEvent | undefined): void {
    switch (event?.type) {
      case 'error':
        this.#lastError = event.message;
        break;
      case 'connected':
        this.#isConnected = true;
        break;
      case 'configured':
        this.#hostnames = event.hostnames;
        break;
      case undefined:
        return;
    }
    this.#settle();
  }

  #settle(): void {
    if (!this.#isConnected || this.#hostnames === undefined) {
      return;
    }
    const [hostname] = this.#hostnames;
    if (hostname !== undefined) {
      this.#address.resolve(`https://${hostname}`);
      return;
    }
    const failure = 'The tunnel has no public hostname. Give it one at Cloudflare.';
    this.#address.reject(new TunnelFailure(failure));
  }

  async #waitForEnd(): Promise<string> {
    // Where there is no shell, there is an error instead of an exit.
    const [code] = (await once(this.#child, 'exit').catch(() => [NOT_FOUND])) as [number | null];
    // The guard's other half waits for it.
    this.#child.stdin.destroy();
    if (code === NOT_FOUND) {
      return 'cloudflared is not installed where the connection catalog runs.';
    }
    const reason = this.#lastError.replaceAll(this.#token.reveal(), '[secret]');
    return `cloudflared ended with exit code ${code ?? 'unknown'}${reason && `: ${reason}`}.`;
  }
}
