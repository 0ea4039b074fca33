import { rm } from 'node:fs/promises';
import type { Server } from 'node:net';
import { listenForControl } from './control.ts';
import { clientsFile, type DevelopmentToken, fetchToken } from './identity-clients.ts';
import { writePrivately } from './paths.ts';
import type { DevelopmentSecrets } from './secrets.ts';
import type { Servers } from './servers.ts';
import { environmentOf, type Service, serviceProcess, TENANT } from './services.ts';
import { stackFile, type StackState } from './stack-file.ts';
import { type Supervised, Supervisor } from './supervisor.ts';

/** Tokens live for a quarter of an hour; the one that is written down never gets that old. */
const RENEW_TOKEN_MS = 10 * 60_000;
const WRITE_STATE_MS = 1_000;

interface RunningServiceProcess {
  service: Service;
  env: Record<string, string>;
  supervisor: Supervisor;
}

/** The stack while it runs: its processes, the file that tells of them, and who may ask for them. */
export class RunningStack implements AsyncDisposable {
  readonly servers: Servers;
  readonly #secrets: DevelopmentSecrets;
  readonly #report: (line: string) => void;
  readonly #servers: Supervisor[] = [];
  readonly #services = new Map<string, RunningServiceProcess>();
  readonly #timers: NodeJS.Timeout[] = [];
  #token: DevelopmentToken = { token: '', expiresAt: new Date(0) };
  #written = '';
  #control: Server | undefined;

  constructor(servers: Servers, secrets: DevelopmentSecrets, report: (line: string) => void) {
    this.servers = servers;
    this.#secrets = secrets;
    this.#report = report;
  }

  /** From now on a server that dies is started again. */
  watchServers(): void {
    for (const [name, server] of this.servers.started) {
      this.#servers.push(this.#watch(name, server));
    }
  }

  /** Starts a service and keeps it up. */
  async startService(service: Service, identityUrl: string): Promise<void> {
    const env = environmentOf(service, {
      servers: this.servers.urls,
      settings: this.servers.settings,
      databaseUrl: await this.servers.database.loginUrl(service.role),
      secrets: this.#secrets,
      identityUrl,
      clientsFile,
      environment: process.env,
    });
    const running = serviceProcess(service, env);
    await running.start();
    const supervisor = this.#watch(service.name, running);
    this.#services.set(service.name, { service, env, supervisor });
  }

  /** Publishes the facts in `.soma/stack.json`, keeps them true, and takes requests. */
  async open(identityUrl: string, down: () => void): Promise<DevelopmentToken> {
    await this.#renewToken(identityUrl);
    await this.#writeState();
    this.#every(RENEW_TOKEN_MS, () => this.#renewToken(identityUrl));
    this.#every(WRITE_STATE_MS, () => this.#writeState());
    this.#control = await listenForControl({
      release: (name) => this.#release(name),
      takeBack: (name) => {
        this.#report(`${name} is the stack's own again.`);
        this.#services.get(name)?.supervisor.takeBack();
      },
      down,
    });
    return this.#token;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timers.forEach(clearInterval);
    this.#control?.close();
    await rm(stackFile, { force: true });
    await Promise.all([...this.#services.values()].map(({ supervisor }) => supervisor.stop()));
    await Promise.all(this.#servers.map((supervisor) => supervisor.stop()));
    await this.servers.stop();
  }

  #watch(name: string, process: Supervised): Supervisor {
    const supervisor = new Supervisor(name, process, this.#report);
    supervisor.watch();
    return supervisor;
  }

  async #release(name: string): Promise<void> {
    const running = this.#services.get(name);
    if (!running) throw new Error(`There is no service "${name}" in this stack.`);
    this.#report(`${name} is lent to "nx serve".`);
    await running.supervisor.stop();
  }

  async #renewToken(identityUrl: string): Promise<void> {
    this.#token = await fetchToken(identityUrl, this.#secrets);
  }

  /** Process ids change when something is started again, so the facts are compared each second. */
  async #writeState(): Promise<void> {
    const state = this.#state();
    if (JSON.stringify(state) === this.#written) return;
    this.#written = JSON.stringify(state);
    await writePrivately(stackFile, state);
  }

  #state(): StackState {
    const { databaseUrl, redisUrl, kafkaBrokers } = this.servers.urls;
    const pidOf = new Map(this.#servers.map(({ name, pid }) => [name, pid]));
    return {
      pid: process.pid,
      tenant: TENANT,
      token: this.#token.token,
      token_expires_at: this.#token.expiresAt.toISOString(),
      database_url: databaseUrl,
      redis_url: redisUrl,
      kafka_brokers: kafkaBrokers,
      servers: Object.fromEntries(
        this.servers.listed.map(([name, where]) => [name, { pid: pidOf.get(name), ...where }]),
      ),
      services: Object.fromEntries(
        [...this.#services.values()].map(({ service, env, supervisor }) => {
          const { name, app, url, port, log } = service;
          return [name, { pid: supervisor.pid, app, url, port, log, env }];
        }),
      ),
    };
  }

  #every(ms: number, act: () => Promise<void>): void {
    const timer = setInterval(() => {
      act().catch((error: unknown) => {
        this.#report(error instanceof Error ? error.message : String(error));
      });
    }, ms);
    this.#timers.push(timer);
  }
}
