import { describe, expect, it } from '@jest/globals';
import { createBreaker } from '@soma/kernel';
import { recordCircuitState } from './circuit-metrics.ts';
import { counter, gauge, histogram, renderMetrics } from './metrics.ts';

describe('metrics', () => {
  it('renders what was counted, and the process beside it', async () => {
    counter({ name: 'soma_test_total', help: 'x', labelNames: ['kind'] }).inc({ kind: 'a' }, 2);
    histogram({ name: 'soma_test_seconds', help: 'x' }).observe(0.004);
    gauge({
      name: 'soma_test_depth',
      help: 'x',
      collect() {
        this.set(7);
      },
    });

    const text = await renderMetrics();

    expect(text).toContain('soma_test_total{kind="a"} 2');
    expect(text).toContain('soma_test_seconds_bucket{le="0.005"} 1');
    expect(text).toContain('soma_test_depth 7');
    expect(text).toContain('nodejs_eventloop_lag_seconds');
  });

  it('gives the same metric for the same name', async () => {
    const options = { name: 'soma_twice_total', help: 'x' };
    counter(options).inc();
    counter(options).inc();

    expect(await renderMetrics()).toContain('soma_twice_total 2');
  });

  it('shows the state of a breaker', async () => {
    const breaker = createBreaker({ name: 'openai', onState: recordCircuitState });
    expect(await renderMetrics()).toContain(
      'soma_circuit_state{circuit="openai",state="closed"} 1',
    );

    for (let failures = 0; failures < 5; failures++) {
      await breaker.execute(() => Promise.reject(new Error('down'))).catch(() => undefined);
    }

    const text = await renderMetrics();
    expect(text).toContain('soma_circuit_state{circuit="openai",state="open"} 1');
    expect(text).toContain('soma_circuit_state{circuit="openai",state="closed"} 0');
  });
});
