import { Inject, Injectable, Optional } from '@nestjs/common';
import type {
  ConnectionLease,
  ConnectionPurpose,
  Principal,
  ResolveConnectionRequest,
} from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { TenantTransaction } from '@soma/persistence';
import { type ConnectionType, webhookCredentials } from '../connection-types/connection-type.ts';
import { ConnectionTypes } from '../connection-types/connection-types.ts';
import { httpOf } from '../connection-types/http-of.ts';
import { ConnectionSecrets } from '../secrets/connection-secrets.ts';
import type { ConnectionRow } from './connection-row.ts';
import { ConnectionUsages } from './connection-usages.ts';
import { ConnectionsRepository } from './connections.repository.ts';
import { type FreshToken, TOKEN_SOURCE, type TokenSource } from './token-source.ts';

/** How long a service may keep what it got. */
const LEASE_SECONDS = 60;

/** The field that a token from the provider stands in. No type has it: nobody can write it. */
const TOKEN_FIELD = 'access_token';

/** Whose tenant counts, and who it is that uses models. */
type User = Pick<Principal, 'tenant_id' | 'subject'>;

/** Gives a service what it needs to use a connection. */
@Injectable()
export class ResolveConnection {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly connections: ConnectionsRepository,
    private readonly types: ConnectionTypes,
    private readonly secrets: ConnectionSecrets,
    private readonly usages: ConnectionUsages,
    @Optional() @Inject(TOKEN_SOURCE) private readonly tokens?: TokenSource,
  ) {}

  /**
   * @throws {@link Problem} 404 `connection_not_found`, 422 `connection_type_gone` or
   *   `connection_without_models`, 502 `credential_unavailable`, and as {@link TokenSource} does
   */
  async execute(user: User, request: ResolveConnectionRequest): Promise<ConnectionLease> {
    const { tenant_id: tenantId } = user;
    const { purpose } = request;
    const { row, type } = await this.find(user, request);
    const credentials = await this.read(tenantId, row, leasedFields(row, type, purpose));
    const token = purpose === 'webhook' ? undefined : await this.tokenOf(tenantId, row, type);
    if (token !== undefined) {
      credentials.set(TOKEN_FIELD, token.token.reveal());
    }
    return {
      connection_id: row.connection_id,
      name: row.name,
      type: row.type,
      fields: row.fields,
      http: httpOf(type, row.fields),
      credentials: Object.fromEntries(credentials),
      rate_limit_rpm: this.types.rateOf(type, row.rate_limit_rpm),
      version: row.version,
      expires_in: secondsLeft(token),
    };
  }

  /** Models are in use for as long as they are asked for: nobody says when that ends. */
  private find(
    { tenant_id: tenantId, subject: userId }: User,
    { name, purpose }: ResolveConnectionRequest,
  ): Promise<{ row: ConnectionRow; type: ConnectionType }> {
    return this.transaction.run(tenantId, async (manager) => {
      const row = await this.connections.find(manager, tenantId, name);
      const type = this.types.get(row.type);
      if (purpose === 'model_provider') {
        this.assertModels(name, type);
        const { connection_id: connectionId } = row;
        await this.usages.see(manager, tenantId, { connectionId, usedBy: purpose, userId });
      }
      return { row, type };
    });
  }

  private assertModels(name: string, type: ConnectionType): void {
    if (type.offersModels !== true) {
      throw new Problem({
        status: 422,
        code: 'connection_without_models',
        detail:
          `The connection "${name}" is of type ${type.name}, which offers no models. ` +
          `Connect one of ${this.types.withModels().join(', ')} by this name.`,
      });
    }
  }

  private async read(
    tenantId: string,
    row: ConnectionRow,
    fields: string[],
  ): Promise<Map<string, string>> {
    const values = await Promise.all(
      fields.map(async (field) => {
        const place = this.secrets.placeOf(tenantId, row, field);
        const secret = await this.secrets.open(place, row.credentials[field]?.version);
        return [field, secret.reveal()] as const;
      }),
    );
    return new Map(values);
  }

  /** What somebody has authorised, where the type is used so or may be. */
  private async tokenOf(
    tenant_id: string,
    { connection_id, credentials }: ConnectionRow,
    { authorisation }: ConnectionType,
  ): Promise<FreshToken | undefined> {
    const isWanted = authorisation === 'always' || credentials['token'] === undefined;
    if (this.tokens === undefined || authorisation === undefined || !isWanted) {
      return undefined;
    }
    try {
      return await this.tokens.find({ tenant_id, connection_id });
    } catch (error) {
      if (authorisation === 'possible' && isNotAuthorized(error)) {
        return undefined;
      }
      throw error;
    }
  }
}

/** Who uses tokens that somebody authorised has no business with what they are made by. */
function leasedFields(
  { credentials }: ConnectionRow,
  { authorisation }: ConnectionType,
  purpose: ConnectionPurpose,
): string[] {
  const isForWebhooks = purpose === 'webhook';
  return Object.keys(credentials).filter((field) =>
    webhookCredentials.has(field) ? isForWebhooks : !isForWebhooks && authorisation !== 'always',
  );
}

function isNotAuthorized(error: unknown): boolean {
  return error instanceof Problem && error.code === 'connection_not_authorized';
}

/** A token that ends sooner ends the lease. */
function secondsLeft(token: FreshToken | undefined): number {
  const endsAt = token?.expiresAt?.getTime() ?? Infinity;
  return Math.max(0, Math.min(LEASE_SECONDS, (endsAt - Date.now()) / 1000));
}
