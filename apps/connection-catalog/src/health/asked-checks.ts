import { Problem } from '@soma/kernel';

/** How many checks that somebody asked for go on at most. */
export interface AskedCheckLimits {
  all: number;
  /** Of one tenant: a host that does not answer holds a place for ten seconds, and costs nothing. */
  ofTenant: number;
}

/**
 * Room for checks that somebody asks for. The prober's are not counted here: nobody who asks can keep
 * it from looking at the connections of others, and no tenant can keep others from asking.
 */
export class AskedChecks {
  readonly #running = new Map<string, number>();
  #all = 0;

  constructor(private readonly limits: AskedCheckLimits) {}

  /** @throws {@link Problem} 503 `health_checks_busy`, before the check begins */
  run(tenantId: string, check: () => Promise<void>): Promise<void> {
    const ofTenant = this.#running.get(tenantId) ?? 0;
    if (this.#all >= this.limits.all || ofTenant >= this.limits.ofTenant) {
      throw new Problem({
        status: 503,
        code: 'health_checks_busy',
        detail: 'Too many connections are being tried at once. Try again in ten seconds.',
        retryAfterSeconds: 10,
      });
    }
    this.#count(tenantId, 1);
    return check().finally(() => {
      this.#count(tenantId, -1);
    });
  }

  #count(tenantId: string, by: 1 | -1): void {
    this.#all += by;
    const ofTenant = (this.#running.get(tenantId) ?? 0) + by;
    if (ofTenant === 0) this.#running.delete(tenantId);
    else this.#running.set(tenantId, ofTenant);
  }
}
