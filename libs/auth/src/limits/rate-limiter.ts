import type { Principal } from '@soma/contracts';
import {
  ConfigError,
  integerSetting,
  isDevelopment,
  type Quota,
  type QuotaGrant,
} from '@soma/kernel';
import type { z } from 'zod';

const MINUTE_MS = 60_000;

/** The settings of the limits of requests; a service's schema spreads them. */
export const rateLimitSettings = {
  RATE_LIMIT_API_PER_MINUTE: integerSetting({ default: 100, min: 0 }).describe(
    'Requests of a person in a minute. 0: no limit, for services neither; only with ' +
      '`NODE_ENV=development`.',
  ),
  RATE_LIMIT_SERVICE_PER_MINUTE: integerSetting({ default: 6_000, min: 1 }).describe(
    'Requests of a service account in a minute.',
  ),
  RATE_LIMIT_SIGN_IN_PER_15_MINUTES: integerSetting({ default: 5, min: 1 }).describe(
    'Tries of a person to prove a second factor in 15 minutes.',
  ),
  RATE_LIMIT_SIGN_IN_ADDRESS_PER_15_MINUTES: integerSetting({ default: 100, min: 1 }).describe(
    'Second factors that are sent from an address at sign-in, right or wrong, in 15 minutes. There ' +
      'may be an office behind it: how often a person may try is counted in PostgreSQL.',
  ),
  RATE_LIMIT_BAD_CREDENTIALS_PER_MINUTE: integerSetting({ default: 100, min: 1 }).describe(
    'Bad credentials of programs that an address may send to the token, introspection and revocation ' +
      'endpoints in a minute. Above it all that comes from there gets 429 until the minute is over.',
  ),
};

/** The values of {@link rateLimitSettings}. */
export type RateLimitConfig = z.output<z.ZodObject<typeof rateLimitSettings>>;

/** Counts requests over all pods of all services. */
export interface RequestCounter {
  take: (key: string, quota: Quota) => Promise<QuotaGrant>;
}

/** A kind of routes that share a quota. */
export type RouteClass = 'api' | 'sign_in';

/** What is counted. */
type QuotaName = RouteClass | 'bad_credentials';

/** What a quota has left after a request. */
export interface Allowance extends QuotaGrant {
  name: QuotaName;
  quota: Quota;
}

/** Holds callers to their quotas: each principal of each tenant, and each address at sign-in. */
export class RateLimiter {
  readonly #config: RateLimitConfig;
  readonly #counter: RequestCounter;

  constructor(config: RateLimitConfig, counter: RequestCounter) {
    if (config.RATE_LIMIT_API_PER_MINUTE === 0 && !isDevelopment()) {
      throw new ConfigError(
        'RATE_LIMIT_API_PER_MINUTE=0 lifts every limit. It is accepted only with ' +
          'NODE_ENV=development.',
      );
    }
    this.#config = config;
    this.#counter = counter;
  }

  /** A request of a known caller. Undefined where there is no limit. */
  async spend(principal: Principal): Promise<Allowance | undefined> {
    const person = this.#config.RATE_LIMIT_API_PER_MINUTE;
    if (person === 0) {
      return undefined;
    }
    const isPerson = principal.role !== undefined;
    const limit = isPerson ? person : this.#config.RATE_LIMIT_SERVICE_PER_MINUTE;
    return this.take('api', nameOf(principal), { limit, windowMs: MINUTE_MS });
  }

  /** A try to prove more, by a caller who is known, or by one of those at an address who are not. */
  spendSignIn(caller: Principal | string): Promise<Allowance> {
    const windowMs = 15 * MINUTE_MS;
    if (typeof caller === 'string') {
      const limit = this.#config.RATE_LIMIT_SIGN_IN_ADDRESS_PER_15_MINUTES;
      return this.take('sign_in', caller, { limit, windowMs });
    }
    const limit = this.#config.RATE_LIMIT_SIGN_IN_PER_15_MINUTES;
    return this.take('sign_in', nameOf(caller), { limit, windowMs });
  }

  /** A credential that was none, from an address. */
  spendBadCredential(address: string): Promise<Allowance> {
    const limit = this.#config.RATE_LIMIT_BAD_CREDENTIALS_PER_MINUTE;
    return this.take('bad_credentials', address, { limit, windowMs: MINUTE_MS });
  }

  private async take(name: QuotaName, caller: string, quota: Quota): Promise<Allowance> {
    // The braces are literal: all keys of a caller share a slot of a cluster.
    const grant = await this.#counter.take(`{${caller}}:${name}`, quota);
    return { name, quota, ...grant };
  }
}

function nameOf({ tenant_id, subject }: Principal): string {
  return `${tenant_id}:${subject}`;
}
