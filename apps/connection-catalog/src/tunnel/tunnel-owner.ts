import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { abortAfter, newIdentifier, Problem, RepeatedWork, withinLimit } from '@soma/kernel';
import { SweepTransaction } from '@soma/persistence';
import { LEASE_MS, TunnelLeases } from './tunnel-leases.ts';
import { type OpenTunnel, TunnelFailure, type TunnelProvider } from './tunnel-provider.ts';

const BEAT_MS = 1_000;
const OPENING_MS = 30_000;
/** How long the database may take: then it is asked again, on another connection. */
const LIMIT_MS = 5_000;

/** A tunnel of this pod, from the claim of its lease to its release. */
interface Held {
  owner: string;
  opening: AbortController;
  /** Settles soon after it is aborted. */
  tunnel: Promise<OpenTunnel>;
  /** By this process's own clock; after it another pod may have the lease. */
  holdsUntil: number;
  beat: RepeatedWork;
  closing: Promise<void> | undefined;
}

/** Opens the one tunnel where this pod gets its lease, and closes it when the lease is lost. */
@Injectable()
export class TunnelOwner implements OnApplicationShutdown {
  private readonly logger = new Logger(TunnelOwner.name);
  private held: Held | undefined;

  constructor(
    private readonly sweep: SweepTransaction,
    private readonly leases: TunnelLeases,
  ) {}

  /**
   * @throws {@link Problem} 409 `tunnel_exists`, 502 `tunnel_failed`
   */
  async open(provider: TunnelProvider, startedBy: string): Promise<void> {
    const owner = newIdentifier();
    const lease = { owner, provider: provider.name, startedBy };
    if (!(await this.sweep.run((manager) => this.leases.claim(manager, lease)))) {
      throw tunnelExists();
    }
    const held = this.hold(owner, provider);
    try {
      await this.publish(held, await held.tunnel);
    } catch (error) {
      await this.close(held);
      throw error instanceof TunnelFailure ? tunnelFailed(error) : error;
    }
  }

  /** Closes what this pod has, and waits until it is closed. */
  async closeOwn(): Promise<void> {
    if (this.held !== undefined) {
      await this.close(this.held);
    }
  }

  onApplicationShutdown(): Promise<void> {
    return this.closeOwn();
  }

  private hold(owner: string, provider: TunnelProvider): Held {
    const opening = new AbortController();
    const beat = new RepeatedWork({
      everyMs: BEAT_MS,
      maxPauseMs: BEAT_MS,
      act: () => this.extendInTime(held),
      onFailure: (error) => {
        this.logger.warn({ error, message: 'The lease of the tunnel was not extended.' });
        if (performance.now() >= held.holdsUntil) void this.close(held);
      },
    });
    const held: Held = {
      ...{ owner, opening, beat, closing: undefined },
      tunnel: provider.open(abortAfter(OPENING_MS, opening.signal)),
      holdsUntil: performance.now() + LEASE_MS,
    };
    this.held = held;
    beat.start();
    return held;
  }

  private async publish(held: Held, { publicUrl, ended }: OpenTunnel): Promise<void> {
    const { owner } = held;
    if (!(await this.sweep.run((manager) => this.leases.publish(manager, owner, publicUrl)))) {
      throw new TunnelFailure('It was stopped while it was opened.');
    }
    void ended.then((how) => {
      if (held.closing === undefined) this.logger.warn(`The tunnel is gone: ${how}`);
      return this.close(held);
    });
  }

  /** No longer than the lease holds: a database that hangs must not keep the tunnel open. */
  private extendInTime(held: Held): Promise<void> {
    const leftMs = Math.max(0, Math.ceil(held.holdsUntil - performance.now()));
    return withinLimit(Math.min(LIMIT_MS, leftMs), () => this.extend(held));
  }

  private async extend(held: Held): Promise<void> {
    const askedAt = performance.now();
    if (await this.sweep.run((manager) => this.leases.extend(manager, held.owner))) {
      held.holdsUntil = askedAt + LEASE_MS;
    } else {
      // Not awaited: it waits for this beat to end.
      void this.close(held);
    }
  }

  private close(held: Held): Promise<void> {
    held.closing ??= this.closeOnce(held);
    return held.closing;
  }

  private async closeOnce(held: Held): Promise<void> {
    held.opening.abort();
    await held.beat.stop();
    // One that did not open has told so to whoever asked for it.
    const tunnel = await held.tunnel.catch(() => undefined);
    await tunnel?.close().catch((error: unknown) => {
      this.logger.warn({ error, message: 'The tunnel did not close in order.' });
    });
    const release = (): Promise<void> =>
      this.sweep.run((manager) => this.leases.release(manager, held.owner));
    // Where it fails, the lease ends by itself.
    await withinLimit(LIMIT_MS, release).catch((error: unknown) => {
      this.logger.warn({ error, message: 'The lease of the tunnel was not released.' });
    });
    if (this.held === held) this.held = undefined;
  }
}

function tunnelExists(): Problem {
  return new Problem({
    status: 409,
    code: 'tunnel_exists',
    detail: 'There is a tunnel already. Stop it first: POST /api/v1/integrations/tunnel/stop.',
  });
}

function tunnelFailed(failure: TunnelFailure): Problem {
  const { message: detail } = failure;
  return new Problem({ status: 502, code: 'tunnel_failed', detail, cause: failure });
}
