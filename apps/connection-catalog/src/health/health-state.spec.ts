import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type HealthState, nextHealth } from './health-state.ts';

const UNKNOWN: HealthState = { health: 'unknown', failures: 0 };

function after(checks: readonly boolean[], threshold = 3): HealthState {
  return checks.reduce((state, succeeded) => nextHealth(state, succeeded, threshold), UNKNOWN);
}

describe('nextHealth', () => {
  it.each([
    [[true], 'healthy'],
    [[false], 'degraded'],
    [[true, false], 'degraded'],
    [[true, false, false], 'degraded'],
    [[true, false, false, false], 'unhealthy'],
    [[false, false, false, false, false], 'unhealthy'],
    [[false, false, true, false, false], 'degraded'],
    [[false, false, false, true], 'healthy'],
  ])('after %j it is %s', (checks, health) => {
    expect(after(checks).health).toBe(health);
  });

  it('depends on the failures since the last success alone', () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean()),
        fc.nat(9),
        fc.integer({ min: 1, max: 9 }),
        (earlier, failures, threshold) => {
          const { health } = after(
            [...earlier, true, ...Array<boolean>(failures).fill(false)],
            threshold,
          );
          const expected =
            failures === 0 ? 'healthy' : failures < threshold ? 'degraded' : 'unhealthy';
          expect(health).toBe(expected);
        },
      ),
    );
  });
});
