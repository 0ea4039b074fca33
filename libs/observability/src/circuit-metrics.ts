import { trace } from '@opentelemetry/api';
import type { BreakerState } from '@soma/kernel';
import { gauge } from './metrics.ts';

const STATES: readonly BreakerState[] = ['closed', 'half_open', 'open'];

const circuitState = gauge({
  name: 'soma_circuit_state',
  help: 'State of a circuit breaker: 1 for the state it is in, 0 for the others.',
  labelNames: ['circuit', 'state'],
});

/** Pass it to `createBreaker` as `onState`: it shows the state in metrics and in the span. */
export function recordCircuitState(circuit: string, state: BreakerState): void {
  for (const each of STATES) {
    circuitState.set({ circuit, state: each }, each === state ? 1 : 0);
  }
  trace.getActiveSpan()?.setAttribute('circuit.state', state);
}
