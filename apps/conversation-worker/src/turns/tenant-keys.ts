import type { ConnectionLeases, ConnectionLimits, OpenConnection } from '@soma/connections';
import type { Principal } from '@soma/contracts';
import type { Outbound } from '@soma/http';
import { Problem, Secret } from '@soma/kernel';
import type { KeySource, ProviderAccess } from '@soma/llm';

/** What stands in the place of a key where a model server asks for none. */
const NO_KEY = 'unset';

/** How long one answer may take. A turn has limits of its own, which are shorter. */
const TIMEOUT_MS = 60 * 60 * 1000;
/** How long a call waits for its turn at the connection: the model is to answer in the time that is left. */
const LINE_MS = 10_000;
const MAX_BYTES = 256 * 1024 * 1024;

/** The keys of models that tenants have connected themselves. */
export class TenantKeys implements KeySource {
  /** The same for as long as a lease is the same, so that a provider is opened once for it. */
  readonly #accesses = new WeakMap<OpenConnection, ProviderAccess>();

  constructor(
    private readonly leases: Pick<ConnectionLeases, 'find'>,
    private readonly limits: Pick<ConnectionLimits, 'fetch'>,
    private readonly outbound: Outbound,
  ) {}

  async find(tenantId: string, connectionName: string): Promise<ProviderAccess | undefined> {
    // On behalf of the tenant: the turn outlives the token of its message.
    const principal = { subject: 'conversation-worker', tenant_id: tenantId, scopes: [] };
    const connection = await this.open(principal, connectionName);
    if (connection === undefined) {
      return undefined;
    }
    const access = this.#accesses.get(connection) ?? this.toAccess(principal, connection);
    this.#accesses.set(connection, access);
    return access;
  }

  private async open(principal: Principal, name: string): Promise<OpenConnection | undefined> {
    try {
      return await this.leases.find(principal, { name, purpose: 'model_provider' });
    } catch (error) {
      if (error instanceof Problem && error.code === 'connection_not_found') {
        return undefined;
      }
      throw error;
    }
  }

  private toAccess(
    principal: Principal,
    { name, type, fields, credentials }: OpenConnection,
  ): ProviderAccess {
    const { base_url: baseUrl } = fields;
    if (typeof baseUrl !== 'string') {
      throw new Error(`The connection "${name}" of type ${type} is not one of models.`);
    }
    return {
      key: credentials.get('api_key') ?? new Secret(NO_KEY),
      baseUrl,
      // The address is the tenant's: it leads nowhere inside.
      fetch: (input, init) => {
        const request = toOutbound(init);
        const use = { principal, name, deadlineMs: LINE_MS, signal: init?.signal ?? undefined };
        return this.limits.fetch(use, () => this.outbound.fetch(addressOf(input), request));
      },
    };
  }
}

function addressOf(input: Parameters<typeof fetch>[0]): string | URL {
  return input instanceof Request ? input.url : input;
}

/** What the providers of the AI SDK send is text. */
function toOutbound(init: RequestInit = {}): Parameters<Outbound['fetch']>[1] {
  const { method, headers, body, signal } = init;
  return {
    ...(method !== undefined && { method }),
    ...(headers !== undefined && { headers }),
    ...(typeof body === 'string' && { body }),
    ...(signal && { signal }),
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_BYTES,
  };
}
