/** So many requests in so long a time. */
export interface Quota {
  limit: number;
  windowMs: number;
}

/** What a quota had left. */
export interface QuotaGrant {
  /** How many of the requests that were asked for may go on. */
  granted: number;
  /** How many more may, for now. */
  remaining: number;
  /** When there is more, in milliseconds. */
  resetMs: number;
}

/**
 * Into how many parts a window is cut. A request counts until the whole part in which it came has
 * left the window: so no window ever holds more than its limit, and some hold a little less.
 */
export const WINDOW_PARTS = 12;

/** How many keys are remembered. Beyond it the one that was asked for longest ago starts anew. */
const MAX_KEYS = 50_000;

/** Counts requests by key, each in a window that slides. For one process: it counts in memory. */
export class SlidingWindows {
  readonly #windows = new Map<string, Map<number, number>>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Takes as many as there are, up to `wanted`; with 0 it only looks. */
  take(key: string, quota: Quota, wanted = 1): QuotaGrant {
    const now = this.#now();
    const partMs = quota.windowMs / WINDOW_PARTS;
    const present = Math.floor(now / partMs);
    const parts = this.#partsOf(key, present);
    const used = [...parts.values()].reduce((sum, count) => sum + count, 0);
    const granted = Math.max(0, Math.min(wanted, quota.limit - used));
    if (granted > 0) {
      parts.set(present, (parts.get(present) ?? 0) + granted);
    }
    const [oldest = present] = parts.keys();
    return {
      granted,
      remaining: Math.max(0, quota.limit - used - granted),
      resetMs: Math.ceil((oldest + 1) * partMs + quota.windowMs - now),
    };
  }

  /** The counts that still lie in the window, the oldest first. */
  #partsOf(key: string, present: number): Map<number, number> {
    const known = [...(this.#windows.get(key) ?? [])];
    const parts = new Map(known.filter(([part]) => part >= present - WINDOW_PARTS));
    // Put in anew: the map lists its keys by how long ago they were asked for.
    this.#windows.delete(key);
    this.#windows.set(key, parts);
    const [oldest] = this.#windows.keys();
    if (this.#windows.size > MAX_KEYS && oldest !== undefined) {
      this.#windows.delete(oldest);
    }
    return parts;
  }
}
