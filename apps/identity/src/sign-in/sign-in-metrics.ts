import { counter } from '@soma/observability';

/** Ways to providers and back, by what came of them. */
export const signInAttempts = counter({
  name: 'soma_sign_in_attempts_total',
  help: 'Sign-ins that came back from a provider, by outcome.',
  labelNames: ['provider', 'outcome'],
});

/** Answers that no browser here asked for. */
export const stateFaults = counter({
  name: 'soma_sign_in_state_faults_total',
  help: 'Answers of providers whose state was missing, wrong, old or used.',
  labelNames: ['provider', 'fault'],
});
