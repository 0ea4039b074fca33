import type { ConnectionHealth } from '@soma/contracts';

/** How a connection is, and how often it has failed since it last worked. */
export interface HealthState {
  health: ConnectionHealth;
  failures: number;
}

/**
 * How a connection is after one more check. One failure may be chance, so it is `degraded` until
 * there are as many in a row as the threshold; one success makes up for all of them.
 */
export function nextHealth(
  current: HealthState,
  hasSucceeded: boolean,
  threshold: number,
): HealthState {
  if (hasSucceeded) {
    return { health: 'healthy', failures: 0 };
  }
  const failures = current.failures + 1;
  return { health: failures >= threshold ? 'unhealthy' : 'degraded', failures };
}
