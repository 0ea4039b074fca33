import type { Secret } from '@soma/kernel';
import { ModelFailure } from './model-failure.ts';
import type { KeyedProviderName } from './models.ts';

/** What a provider is called with. */
export interface ProviderAccess {
  key: Secret;
  baseUrl: string;
  /** What makes the requests. Default: `fetch`, which goes wherever it is told. */
  fetch?: typeof fetch;
}

/** Where tenants keep their own keys. */
export interface KeySource {
  /** Undefined where the tenant has no connection of that name. It is asked before every call. */
  find: (tenantId: string, connectionName: string) => Promise<ProviderAccess | undefined>;
}

/** Whose key is asked for. */
export interface KeyRequest {
  provider: KeyedProviderName;
  tenantId: string;
  connectionName: string;
}

/**
 * What a tenant's connection says, if it has one.
 *
 * @throws {@link ModelFailure} `key_unavailable` when it has, and the key cannot be had.
 */
export async function tenantAccess(
  keys: KeySource,
  { provider, tenantId, connectionName }: KeyRequest,
): Promise<ProviderAccess | undefined> {
  try {
    return await keys.find(tenantId, connectionName);
  } catch (error) {
    const upstream = error instanceof Error ? error.message : undefined;
    throw new ModelFailure({ provider, code: 'key_unavailable', upstream });
  }
}
