import { Injectable } from '@nestjs/common';
import {
  type AccessToken,
  type Account,
  type Client,
  type ClientCredentials,
  errors,
  type Grant,
  type KoaContextWithOIDC,
  type ResourceServer,
  type UnknownObject,
} from 'oidc-provider';
import { keyOf } from './api-key-grants.ts';
import type { GrantOwner } from './oidc-records.ts';
import { type Membership, PersonAccess, scopesOf } from './person-access.ts';
import type { RegisteredClient } from './registered-clients.ts';
import { RevokedTokens } from './revoked-tokens.ts';
import { isInvited, wantedTenant } from './tenant-prompt.ts';

/** A resource indicator is a URI (RFC 8707 §2): this prefix and the name of a service. */
const RESOURCE_PREFIX = 'urn:soma:';
/** Whom a token is meant for when its client does not say. */
const DEFAULT_RESOURCE = `${RESOURCE_PREFIX}gateway`;

/** Decides what is in a token: for which service, whose data, which scopes and what else it says. */
@Injectable()
export class TokenContent {
  constructor(
    private readonly people: PersonAccess,
    readonly revoked: RevokedTokens,
  ) {}

  /** Of how many tenants a person is a member. */
  countTenants(userId: string): Promise<number> {
    return this.people.countTenants(userId);
  }

  /** The person behind a subject, unless they may not sign in any more. */
  account(subject: string): Promise<Account | undefined> {
    return this.people.account(subject);
  }

  /** @param granted - What a code or refresh token is good for, if it is more than one. */
  defaultResource(granted: readonly string[] | undefined): string | undefined {
    return granted === undefined || granted.includes(DEFAULT_RESOURCE)
      ? DEFAULT_RESOURCE
      : granted[0];
  }

  /** The service that a token is to be for, and what the token may be good for there. */
  async resourceServer(
    context: KoaContextWithOIDC,
    resource: string,
    client: Client,
  ): Promise<ResourceServer> {
    const registration = registrationOf(client);
    const { params } = context.oidc;
    if (params !== undefined) {
      // RFC 6749 §3.3: a client that asks for no scope gets those it may have.
      params['scope'] ??= registration.scopes.join(' ');
    }
    return {
      audience: audienceOf(resource, registration),
      scope: (await this.scopesNow(context, registration)).join(' '),
      accessTokenFormat: 'jwt',
      jwt: { sign: { alg: 'ES256' } },
    };
  }

  /**
   * Everybody who may use Soma may use its own clients: a sign-in is the whole consent. There is
   * none before the tenant is known, for which the person is asked next.
   */
  async grantFor(context: KoaContextWithOIDC): Promise<Grant | undefined> {
    const { oidc } = context;
    const { client, session, account } = oidc;
    if (client === undefined || session === undefined || account === undefined) {
      return undefined;
    }
    const { accountId } = account;
    const tenant_id = await this.tenantOf(context, accountId);
    if (tenant_id === undefined) {
      return undefined;
    }
    const grant = new oidc.provider.Grant({ accountId, clientId: client.clientId });
    grant.addOIDCScope('openid profile email');
    for (const [resource, { scope }] of Object.entries(oidc.resourceServers ?? {})) {
      grant.addResourceScope(resource, scope);
    }
    Object.assign(grant, { tenant_id });
    await grant.save();
    return grant;
  }

  /** The claims beside those that every token has. */
  async claimsOf(
    context: KoaContextWithOIDC,
    token: AccessToken | ClientCredentials,
  ): Promise<UnknownObject> {
    const { entities } = context.oidc;
    if (token.kind === 'ClientCredentials') {
      return claimsOfService(token.client);
    }
    const { tenant_id, role } = await this.membershipFor(context);
    const { acr, amr, authTime } =
      entities.RefreshToken ?? entities.AuthorizationCode ?? entities.DeviceCode ?? {};
    return { tenant: tenant_id, role, acr, amr, auth_time: authTime };
  }

  private async tenantOf(context: KoaContextWithOIDC, userId: string): Promise<string | undefined> {
    return isInvited(context)
      ? undefined
      : await this.people.signInTo(userId, wantedTenant(context));
  }

  /** A role may have changed since the person signed in; the token says what holds now. */
  private async scopesNow(
    context: KoaContextWithOIDC,
    registration: RegisteredClient,
  ): Promise<string[]> {
    if (context.oidc.entities.Grant === undefined) {
      return registration.scopes;
    }
    const { tenant_id, role } = await this.membershipFor(context);
    await this.revoked.passed(tenant_id, String(context.oidc.entities.Account?.accountId));
    return scopesOf(role, registration.scopes);
  }

  private membershipFor({ oidc }: KoaContextWithOIDC): Promise<Membership> {
    // `grantFor` saves every grant with its owner.
    const { accountId, tenant_id } = oidc.entities.Grant as unknown as GrantOwner;
    return this.people.membership(accountId, tenant_id);
  }
}

function claimsOfService(client: Client | undefined): UnknownObject {
  const registration = client && registrationOf(client);
  return {
    tenant: registration && 'tenant_id' in registration && registration.tenant_id,
    api_key_id: client && keyOf(client)?.key_id,
  };
}

/** What an operator wrote down about a client. */
export function registrationOf(client: Client): RegisteredClient {
  // `createProvider` puts it into the metadata of every client.
  return client['soma'] as RegisteredClient;
}

function audienceOf(resource: string, { audiences }: RegisteredClient): string {
  const audience = resource.startsWith(RESOURCE_PREFIX)
    ? resource.slice(RESOURCE_PREFIX.length)
    : undefined;
  if (audience === undefined || !audiences.includes(audience)) {
    throw new errors.InvalidTarget('the client may not ask for tokens for this resource');
  }
  return audience;
}
