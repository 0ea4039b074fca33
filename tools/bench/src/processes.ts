import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '@soma/testing';
import { program, workspace } from './paths.ts';
import type { Servers } from './servers.ts';

const READY_LIMIT_MS = 30_000;
/** What every process of a benchmark runs before its program. */
const preload = ['--expose-gc', '--import', program('preload.ts')];

/** A process of a benchmark. Disposing of it ends it. */
export interface Child extends AsyncDisposable {
  /** Sends a message and resolves with the next one that comes back. */
  ask: (message: object) => Promise<unknown>;
}

/** A process that serves HTTP on the loopback. */
export interface Service extends Child {
  url: string;
}

/** Starts a program of this folder and waits until it says that it is ready. */
export async function startProgram(path: string, env: Record<string, string> = {}): Promise<Child> {
  return ready(forkProgram(path, env));
}

/** Starts a program of this folder that works with our libraries, which are taken as they are built. */
export async function startBuiltProgram(path: string): Promise<Child> {
  return ready(fork(program(path), { execArgv: preload, stdio: ['ignore', 2, 2, 'ipc'] }));
}

/** Starts a program of this folder that serves HTTP on the port that it is given. */
export async function startBareService(
  path: string,
  env: Record<string, string> = {},
): Promise<Service> {
  const port = await freePort();
  const child = forkProgram(path, { ...env, PORT: String(port) });
  return { ...(await ready(child)), url: `http://127.0.0.1:${port}` };
}

function forkProgram(path: string, env: Record<string, string>): ChildProcess {
  return fork(program(path), {
    execArgv: [...process.execArgv, ...preload],
    env: { ...process.env, ...env },
  });
}

async function ready(child: ChildProcess): Promise<Child> {
  await answerOf(child);
  return controls(child);
}

/** Starts an app as it runs in production, with a probe that tells the size of its heap. */
export async function startApp(
  app: 'connection-catalog' | 'gateway' | 'conversation-worker',
  servers: Servers,
  settings: Record<string, string> = {},
): Promise<Service> {
  const port = await freePort();
  const child = fork(join(workspace, 'apps', app, 'dist/main.js'), {
    execArgv: preload,
    // Standard output is for the result.
    stdio: ['ignore', 2, 2, 'ipc'],
    env: {
      ...process.env,
      // Production asks OPA and OpenFGA about each request; the benchmark of that starts them.
      NODE_ENV: 'development',
      PORT: String(port),
      LOG_LEVEL: 'warn',
      DATABASE_URL: await servers.postgres.loginUrl(app.replace('-', '_')),
      KAFKA_BROKERS: servers.kafka.brokers,
      REDIS_URL: servers.redisUrl,
      IDENTITY_ISSUER: servers.issuer.url,
      OTEL_EXPORTER_OTLP_ENDPOINT: '',
      // Counted all the same: what it costs is part of the measurement.
      RATE_LIMIT_SERVICE_PER_MINUTE: '1000000000',
      ...settings,
    },
  });
  const url = `http://127.0.0.1:${port}`;
  await untilReady(url, child);
  return { ...controls(child), url };
}

async function untilReady(url: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + READY_LIMIT_MS;
  for (;;) {
    const isReady = await fetch(`${url}/v1/health/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return;
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error('A service did not become ready.');
    }
    await delay(50);
  }
}

function controls(child: ChildProcess): Child {
  return {
    ask: (message) => {
      child.send(message);
      return answerOf(child);
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** A child that ends instead of answering is an error, not a wait for ever. */
async function answerOf(child: ChildProcess): Promise<unknown> {
  const settled = new AbortController();
  const { signal } = settled;
  try {
    const [answer] = (await Promise.race([
      once(child, 'message', { signal }),
      once(child, 'exit', { signal }).then(() => {
        throw new Error('A process of the benchmark has ended.');
      }),
    ])) as [unknown];
    return answer;
  } finally {
    settled.abort();
  }
}
