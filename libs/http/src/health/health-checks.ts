import {
  type BeforeApplicationShutdown,
  Injectable,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { abortAfter, type Breaker } from '@soma/kernel';

const PROBE_EVERY_MS = 5_000;
const PROBE_TIMEOUT_MS = 2_000;

/** Something outside that the service works with. */
export interface Dependency {
  /** A plain word such as `postgres`: the summary is open to everyone. */
  name: string;
  /** Without a required one the service is `down`; without any other it is `degraded`. */
  required: boolean;
  /** Fails when the dependency does not answer. The signal aborts after 2 seconds. */
  check: (signal: AbortSignal) => Promise<unknown>;
}

/** How one dependency answered when it was last asked. */
export interface DependencyStatus {
  status: 'ok' | 'down';
  latency_ms: number;
}

/** The answer of `GET /v1/health`. */
export interface HealthSummary {
  status: 'ok' | 'degraded' | 'down';
  version: string;
  dependencies: Record<string, DependencyStatus>;
}

/**
 * What the service knows of its own health.
 *
 * Dependencies are asked in the background, so that a health request costs nothing and a slow
 * dependency cannot pile requests up. A service is ready once each required dependency has answered
 * and while its own conditions hold. A database that fails later does not make it unready: all pods
 * would vanish at once, and clients would lose the answer that says when to try again.
 */
@Injectable()
export class HealthChecks implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly dependencies = new Map<string, Dependency>();
  private readonly statuses = new Map<string, DependencyStatus>();
  private readonly conditions = new Map<string, () => boolean>();
  private readonly notes = new Map<string, string>();
  private readonly breakers: Breaker[] = [];
  private readonly answered = new Set<string>();
  private stopping = false;
  private timer: NodeJS.Timeout | undefined;

  /** Has a dependency probed from now on. */
  add(dependency: Dependency): void {
    this.dependencies.set(dependency.name, dependency);
  }

  /** Shows a breaker among the dependencies: `down` while it is not closed. */
  addBreaker(breaker: Breaker): void {
    this.breakers.push(breaker);
  }

  /** Says something of the service in its summary that does not change while it runs. */
  note(name: string, value: string): void {
    this.notes.set(name, value);
  }

  /** Keeps the service unready while a condition of its own does not hold. */
  addReadiness(name: string, isReady: () => boolean): void {
    this.conditions.set(name, isReady);
  }

  /** The service has been told to stop: from now on it is unready. */
  stop(): void {
    this.stopping = true;
  }

  get isStopping(): boolean {
    return this.stopping;
  }

  /** What the service still waits for before it can take requests; empty when it is ready. */
  unready(): string[] {
    const required = [...this.dependencies.values()].filter((each) => each.required);
    const conditions = [...this.conditions].filter(([, isReady]) => !isReady());
    return [
      ...(this.stopping ? ['stopping'] : []),
      ...required.map(({ name }) => name).filter((name) => !this.answered.has(name)),
      ...conditions.map(([name]) => name),
    ];
  }

  summary(version: string): HealthSummary {
    const broken = [...this.dependencies.values()].filter(
      ({ name }) => this.statuses.get(name)?.status !== 'ok',
    );
    const isDegraded = broken.length > 0 || this.breakers.some(({ state }) => state !== 'closed');
    const isDown = broken.some(({ required }) => required);
    return {
      status: isDown ? 'down' : isDegraded ? 'degraded' : 'ok',
      version,
      ...Object.fromEntries(this.notes),
      dependencies: {
        ...Object.fromEntries(this.breakers.map((breaker) => [breaker.name, statusOf(breaker)])),
        ...Object.fromEntries(this.statuses),
      },
    };
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.probeAll();
    this.probeLater();
  }

  beforeApplicationShutdown(): void {
    this.stop();
    clearTimeout(this.timer);
  }

  /** One round after the other: a round that takes long never overlaps the next. */
  private probeLater(): void {
    if (this.stopping) {
      return;
    }
    this.timer = setTimeout(() => {
      void this.probeAll().then(() => {
        this.probeLater();
      });
    }, PROBE_EVERY_MS);
    this.timer.unref();
  }

  private async probeAll(): Promise<void> {
    await Promise.all([...this.dependencies.values()].map((each) => this.probe(each)));
  }

  private async probe({ name, check }: Dependency): Promise<void> {
    const begun = performance.now();
    const signal = abortAfter(PROBE_TIMEOUT_MS);
    const late = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        reject(new Error('took too long'));
      });
    });
    const status = await Promise.race([check(signal), late]).then(
      () => 'ok' as const,
      // The reason may name hosts; whoever owns the connection logs it.
      () => 'down' as const,
    );
    this.statuses.set(name, { status, latency_ms: Math.round(performance.now() - begun) });
    if (status === 'ok') {
      this.answered.add(name);
    }
  }
}

function statusOf(breaker: Breaker): DependencyStatus {
  return { status: breaker.state === 'closed' ? 'ok' : 'down', latency_ms: 0 };
}
