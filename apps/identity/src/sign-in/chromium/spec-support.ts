import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '@soma/testing';

interface Answer {
  id: number;
  result: unknown;
}

/** A real browser without a window, driven by the DevTools protocol. It trusts any certificate. */
export class Chromium {
  #count = 0;

  private constructor(private readonly socket: WebSocket) {}

  /**
   * @param hosts - Where the names that it visits are, by host and port.
   * @param running - Ends it, and removes its profile.
   */
  static async start(
    command: string,
    hosts: Record<string, string>,
    running: AsyncDisposableStack,
  ): Promise<Chromium> {
    const profile = await mkdtemp(join(tmpdir(), 'soma-chromium-'));
    running.defer(() => rm(profile, { recursive: true, force: true, maxRetries: 10 }));
    const rules = Object.entries(hosts).map(([name, place]) => `MAP ${name} ${place}`);
    const child = spawn(
      command,
      [
        ...['--headless', '--no-sandbox', '--ignore-certificate-errors', 'about:blank'],
        ...[`--user-data-dir=${profile}`, '--remote-debugging-port=0'],
        `--host-resolver-rules=${rules.join(', ')}`,
      ],
      { stdio: 'ignore' },
    );
    const exited = once(child, 'exit');
    running.defer(async () => {
      child.kill();
      await exited;
    });
    const socket = new WebSocket(await pageOf(profile));
    running.defer(() => {
      socket.close();
    });
    await once(socket, 'open');
    return new Chromium(socket);
  }

  async visit(url: URL): Promise<void> {
    await this.#call('Page.navigate', { url: url.href });
  }

  /** Clicks on the first element that matches, once it is there. */
  async click(selector: string): Promise<void> {
    const found = `document.querySelector(${JSON.stringify(selector)})`;
    await until(async () => (await this.#evaluate(`${found} !== null`)) === true);
    await this.#evaluate(`${found}.click()`);
  }

  async #evaluate(expression: string): Promise<unknown> {
    const { result } = (await this.#call('Runtime.evaluate', { expression })) as {
      result: { value?: unknown };
    };
    return result.value;
  }

  #call(method: string, params: object = {}): Promise<unknown> {
    const id = (this.#count += 1);
    return new Promise((resolve) => {
      const listen = ({ data }: MessageEvent): void => {
        const answer = JSON.parse(String(data)) as Answer;
        if (answer.id !== id) return;
        this.socket.removeEventListener('message', listen);
        resolve(answer.result);
      };
      this.socket.addEventListener('message', listen);
      this.socket.send(JSON.stringify({ id, method, params }));
    });
  }
}

/** Where its first page is driven from: it writes its port into its profile. */
async function pageOf(profile: string): Promise<string> {
  return until(async () => {
    const told = await readFile(join(profile, 'DevToolsActivePort'), 'utf8').catch(() => '');
    const [port = ''] = told.split('\n');
    if (port === '') return undefined;
    const response = await fetch(`http://127.0.0.1:${port}/json/list`);
    const targets = (await response.json()) as { type: string; webSocketDebuggerUrl: string }[];
    return targets.find(({ type }) => type === 'page')?.webSocketDebuggerUrl;
  });
}
