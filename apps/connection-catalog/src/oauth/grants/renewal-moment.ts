import type { Moment } from './grant-lifecycle.ts';

/** When a decision is made, and with which settings. */
export class RenewalMoment {
  /** @param thresholdSeconds - How long before its end a token is renewed. */
  constructor(private readonly thresholdSeconds: number) {}

  now(): Moment {
    return { now: new Date(), thresholdSeconds: this.thresholdSeconds, random: Math.random() };
  }
}
