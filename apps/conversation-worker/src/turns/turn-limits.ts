import type { WorkerConfig } from '../worker.config.ts';

/** The settings by which turns run. Under its token the module gives them to whoever needs them. */
export type TurnLimits = Pick<
  WorkerConfig,
  | 'MAX_TURNS'
  | 'MAX_TURNS_PER_TENANT'
  | 'TENANT_WEIGHTS'
  | 'LEASE_MS'
  | 'TURN_MAX_AGE_MS'
  | 'HISTORY_MAX_TOKENS'
  | 'DRAIN_MS'
>;

export const TURN_LIMITS = Symbol('TURN_LIMITS');
