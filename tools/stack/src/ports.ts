import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { promisify } from 'node:util';

/** A port that is taken, and by whom. */
export type ReportTaken = (port: number, holder: string) => void;

/** Chooses free ports, each at most once, and names each that is taken once. */
export class PortChooser {
  readonly #chosen = new Set<number>();
  readonly #taken = new Set<number>();
  readonly #report: ReportTaken;

  constructor(report: ReportTaken) {
    this.#report = report;
  }

  /** The preferred port, else the next free one in steps of `step`. */
  async choose(preferred: number, step: number): Promise<number> {
    let port = preferred;
    while (!(await this.#canBeOurs(port))) port += step;
    this.#chosen.add(port);
    return port;
  }

  async #canBeOurs(port: number): Promise<boolean> {
    if (this.#chosen.has(port) || this.#taken.has(port)) return false;
    if (await isFree(port)) return true;
    this.#taken.add(port);
    this.#report(port, await holderOf(port));
    return false;
  }
}

async function isFree(port: number): Promise<boolean> {
  // Without a host this covers every address of both families.
  const server = createServer().listen(port);
  try {
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

/** Name and id of the process that listens on a port, as far as this user may see it. */
async function holderOf(port: number): Promise<string> {
  const run = promisify(execFile);
  const fromLsof = run('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc']).then(
    ({ stdout }) => nameAndId(/^c(.+)$/m.exec(stdout)?.[1], /^p(\d+)$/m.exec(stdout)?.[1]),
  );
  const fromSs = run('ss', ['-ltnpH', `sport = :${port}`]).then(({ stdout }) => {
    const [, name, id] = /users:\(\("([^"]+)",pid=(\d+)/.exec(stdout) ?? [];
    return nameAndId(name, id);
  });
  return Promise.any([fromLsof, fromSs]).catch(() => 'another process');
}

function nameAndId(name: string | undefined, id: string | undefined): string {
  if (!name || !id) throw new Error('not found');
  return `${name} (pid ${id})`;
}
