import { Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { RepeatedWork, TransientError } from '@soma/kernel';
import { type KeyLifetimes, publishedKeys, signingKey } from './key-schedule.ts';
import type { SigningKey } from './signing-key.ts';
import type { KeysNow, SigningKeys } from './signing-keys.ts';

/** How old a pod's copy of the keys may be. A key is published for so much longer before it signs. */
export const COPY_LIFE_MS = 60_000;
/** A pod looks this often while its copy may last; a failed look leaves time for others. */
const LOOKS_PER_COPY_LIFE = 4;

/** The keys of this moment: one signs, and all verify. */
export interface CurrentKeys {
  signing: SigningKey;
  published: readonly SigningKey[];
}

/**
 * A pod's copy of the keys, renewed all the time.
 *
 * The time is that of the database, carried on by this process: pods whose clocks go differently
 * change keys at the same moment.
 */
export class KeyRing implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(KeyRing.name);
  private readonly work: RepeatedWork;
  private readAt: number;

  private constructor(
    private readonly store: SigningKeys,
    private readonly lifetimes: KeyLifetimes,
    private copy: KeysNow,
  ) {
    this.readAt = performance.now();
    this.work = new RepeatedWork({
      everyMs: Math.min(COPY_LIFE_MS, lifetimes.publishLeadMs) / LOOKS_PER_COPY_LIFE,
      act: () => this.look(),
      onFailure: (error) => {
        this.logger.warn({ error, message: 'Reading the signing keys failed; trying again.' });
      },
    });
  }

  /** A ring that has keys already: without them a service does not start. */
  static async open(store: SigningKeys, lifetimes: KeyLifetimes): Promise<KeyRing> {
    return new KeyRing(store, lifetimes, await store.load());
  }

  /** @throws {@link TransientError} when the copy is so old that there may be other keys. */
  now(): CurrentKeys {
    const ageMs = performance.now() - this.readAt;
    const nowMs = this.copy.nowMs + ageMs;
    const signing = signingKey(this.copy.keys, nowMs);
    if (signing === undefined || ageMs > COPY_LIFE_MS) {
      throw new TransientError('reading the signing keys');
    }
    return { signing, published: publishedKeys(this.copy.keys, nowMs, this.lifetimes) };
  }

  onApplicationBootstrap(): void {
    this.work.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.work.stop();
  }

  private async look(): Promise<void> {
    // What the database says is as old as the question, not as the answer.
    const askedAt = performance.now();
    this.copy = await this.store.load();
    this.readAt = askedAt;
    const { keys, nowMs } = this.copy;
    if (publishedKeys(keys, nowMs, this.lifetimes).length < keys.length) {
      await this.store.removeRetired();
    }
  }
}
