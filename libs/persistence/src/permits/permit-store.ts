/** How much somebody takes at once, and in a minute. */
export interface PermitLimits {
  perMinute: number;
  /** How many permits may be held at the same time. */
  concurrency: number;
}

/** Who asks for a permit. */
export interface Ticket {
  /** What is limited: one connection of one tenant. */
  key: string;
  /** Of this one request. Once granted it names the permit. */
  id: string;
}

/** What one who asks is told. */
export type PermitAnswer =
  | { kind: 'granted' }
  /** There will be none within the time; there may be one after `afterMs`. */
  | { kind: 'refused'; afterMs: number }
  /** Ask again then, and not much later: who stays away loses the place in the queue. */
  | { kind: 'queued'; afterMs: number };

/**
 * Where permits are counted. Those who ask stand in a queue, and nobody overtakes: fair, whichever
 * pods they are in.
 */
export interface PermitStore {
  /** @param patienceMs - How long the one who asks would still wait. */
  ask: (ticket: Ticket, limits: PermitLimits, patienceMs: number) => Promise<PermitAnswer>;
  /** Gives a permit back, or a place in the queue up. */
  release: (ticket: Ticket) => Promise<void>;
  /** Begins the lease of a permit anew. One that has ended stays so. */
  renew: (ticket: Ticket) => Promise<void>;
  /** Grants nothing for a while: the other side has asked for it. */
  pause: (key: string, forMs: number) => Promise<void>;
}

/** How many permits may be held at the same time where nobody says otherwise. */
export const DEFAULT_CONCURRENCY = 10;
/** A permit that is neither given back nor renewed ends by itself: whoever held it is gone. */
export const PERMIT_LEASE_MS = 120_000;
/** How often a permit is renewed: twice it may fail. */
export const PERMIT_RENEW_MS = PERMIT_LEASE_MS / 3;
/** How much later than it was told one who waits may come and still has the place. */
export const GRACE_MS = 10_000;
/** How soon to ask again where it is not known when somebody gives a permit back. */
export const POLL_MS = 50;
