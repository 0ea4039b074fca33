import { ConfigError, isDevelopment } from '@soma/kernel';
import { PolicyClient } from './policy-client.ts';
import { Relationships, type RelationshipsOptions } from './relationships.ts';

/** What decides on requests beside the declarations of their routes. */
export interface EngineOptions {
  /** Where Open Policy Agent is. */
  policyUrl?: string | undefined;
  relationships?: RelationshipsOptions | undefined;
}

/** @throws {@link ConfigError} where it is missing and this is not development. */
export function policyFrom({ policyUrl }: EngineOptions): PolicyClient | null {
  return policyUrl === undefined ? missing('OPA_URL') : new PolicyClient(policyUrl);
}

/** @throws {@link ConfigError} where it is missing and this is not development. */
export function relationshipsFrom({ relationships }: EngineOptions): Relationships | null {
  return relationships === undefined
    ? missing('OPENFGA_API_URL')
    : new Relationships(relationships);
}

function missing(setting: string): null {
  if (!isDevelopment()) {
    throw new ConfigError(
      `Set ${setting} and start again: without it nobody decides who may do what. It may be unset ` +
        'only with NODE_ENV=development.',
    );
  }
  return null;
}
