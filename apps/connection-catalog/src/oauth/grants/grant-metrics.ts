import { counter } from '@soma/observability';

/** Renewals of tokens, by what came of them. */
export const renewals = counter({
  name: 'soma_oauth_renewals_total',
  help: 'Tokens of connections that were to be renewed, by outcome.',
  labelNames: ['outcome'],
});
