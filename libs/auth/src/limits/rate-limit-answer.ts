import { Problem } from '@soma/kernel';
import type { Allowance } from './rate-limiter.ts';

/** What is left, in the words of draft-ietf-httpapi-ratelimit-headers-10. */
export function rateLimitHeaders(allowance: Allowance): Record<string, string> {
  const { name, quota, remaining, resetMs } = allowance;
  return {
    'ratelimit-policy': `"${name}";q=${quota.limit};w=${quota.windowMs / 1000}`,
    ratelimit: `"${name}";r=${remaining};t=${Math.ceil(resetMs / 1000)}`,
  };
}

/** @throws {@link Problem} 429 `rate_limited` when the quota had nothing left. */
export function checkAllowance(allowance: Allowance | undefined): void {
  if (allowance?.granted === 0) {
    const seconds = Math.max(1, Math.ceil(allowance.resetMs / 1000));
    throw new Problem({
      status: 429,
      code: 'rate_limited',
      detail: `These are too many requests. Try again in ${seconds} seconds.`,
      retryAfterSeconds: seconds,
      headers: rateLimitHeaders(allowance),
    });
  }
}
