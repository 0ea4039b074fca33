import { Injectable } from '@nestjs/common';
import { Secret } from '@soma/kernel';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import { ConnectionSecrets } from '../../secrets/connection-secrets.ts';
import type { OAuthConnection } from '../connections/oauth-connections.ts';
import type { GivenTokens, ProvenClient } from '../protocol/provider-client.ts';
import { ProviderRefusal } from '../protocol/provider-error.ts';
import { CONNECTION_CHANGED } from './grant-lifecycle.ts';

/** Where the secrets of an authorisation lie, beside the fields of its connection. */
export const TOKENS = 'oauth_tokens';
const CLIENT_SECRET = 'oauth_client_secret';
const DEVICE_CODE = 'oauth_device_code';

/** The fields that must go when a connection goes. */
export const oauthSecretFields: readonly string[] = [TOKENS, CLIENT_SECRET, DEVICE_CODE];

const stored = z.object({
  generation: z.int(),
  access_token: z.string(),
  refresh_token: z.string().nullable(),
  /** Milliseconds since 1970. */
  expires_at: z.int().nullable(),
  scope: z.string().nullable(),
});

/** Tokens as they are kept: enough to go on from when their row was never written. */
export interface KeptTokens {
  /** Which tokens of the grant these are; the row knows its own by the same number. */
  generation: number;
  accessToken: Secret;
  refreshToken: Secret | undefined;
  expiresAt: Date | undefined;
  scope: string | undefined;
}

/** Whose secrets. */
export interface Owner {
  tenant_id: string;
  connection_id: string;
}

/** Keeps tokens, device codes and secrets of clients in the secret backend. */
@Injectable()
export class TokenSecrets {
  constructor(private readonly secrets: ConnectionSecrets) {}

  /** Resolves with the version, once it is durable. */
  write(owner: Owner, tokens: KeptTokens): Promise<number> {
    return this.secrets.backend.write(at(owner, TOKENS), toText(tokens));
  }

  /** Whether tokens can be written with the row that counts them: then neither is without the other. */
  get isTransactional(): boolean {
    return this.secrets.isTransactional;
  }

  /** Writes tokens of one tenant with the caller's transaction, and answers their versions. */
  writeWithin(
    manager: EntityManager,
    tenantId: string,
    items: readonly { owner: Owner; tokens: KeptTokens }[],
  ): Promise<number[]> {
    const secrets = items.map(({ owner, tokens }) => ({
      location: at(owner, TOKENS),
      value: toText(tokens),
    }));
    return this.secrets.writeAllWithin(manager, tenantId, secrets);
  }

  /** @param version - Without it, the newest, which a row may not know yet. */
  async read(owner: Owner, version?: number): Promise<KeptTokens | undefined> {
    const secret = await this.secrets.backend.read(at(owner, TOKENS), version);
    return secret && fromText(secret);
  }

  /**
   * Those that a committed row names.
   *
   * @throws {@link Problem} 502 `credential_unavailable`
   */
  async open(owner: Owner, version: number): Promise<KeptTokens> {
    return fromText(await this.secrets.open(at(owner, TOKENS), version));
  }

  writeDeviceCode(owner: Owner, code: Secret): Promise<number> {
    return this.secrets.backend.write(at(owner, DEVICE_CODE), code);
  }

  readDeviceCode(owner: Owner, version: number): Promise<Secret | undefined> {
    return this.secrets.backend.read(at(owner, DEVICE_CODE), version);
  }

  writeClientSecret(owner: Owner, secret: Secret): Promise<number> {
    return this.secrets.backend.write(at(owner, CLIENT_SECRET), secret);
  }

  /**
   * What a client proves itself with: its own registration's secret, or the connection's field.
   *
   * @param ownVersion - Of the secret of a client that Soma registered by itself.
   * @throws {@link ProviderRefusal} `connection_changed` where the client is of what the connection
   *   was for before: its provider gets nothing that was given for another one.
   */
  async prove(
    connection: OAuthConnection,
    { client, ownVersion }: Pick<ProvenClient, 'client'> & { ownVersion: number | null },
  ): Promise<ProvenClient> {
    if (client.bound_to !== null && client.bound_to !== connection.bound_to) {
      throw new ProviderRefusal(CONNECTION_CHANGED, 'Proving who a client is');
    }
    const place = ownVersion ?? connection.client_secret_version;
    const field = ownVersion === null ? 'client_secret' : CLIENT_SECRET;
    const secret =
      place === null || client.authentication === 'none'
        ? undefined
        : await this.secrets.backend.read(at(connection, field), place);
    return { client, secret };
  }
}

/** Tokens as a provider gave them, on their way to the backend. */
export function toKept(given: GivenTokens, generation: number, before?: KeptTokens): KeptTokens {
  const { accessToken, refreshToken, expiresInSeconds, scope } = given;
  return {
    generation,
    accessToken: new Secret(accessToken),
    // One that gives no new refresh token leaves the old one good (RFC 6749 §6).
    refreshToken: refreshToken === undefined ? before?.refreshToken : new Secret(refreshToken),
    expiresAt:
      expiresInSeconds === undefined ? undefined : new Date(Date.now() + expiresInSeconds * 1000),
    scope: scope ?? before?.scope,
  };
}

/** Tokens as they are kept, all of them in one secret. */
export function toText(tokens: KeptTokens): Secret {
  const text: z.output<typeof stored> = {
    generation: tokens.generation,
    access_token: tokens.accessToken.reveal(),
    refresh_token: tokens.refreshToken?.reveal() ?? null,
    expires_at: tokens.expiresAt?.getTime() ?? null,
    scope: tokens.scope ?? null,
  };
  return new Secret(JSON.stringify(text));
}

function fromText(text: Secret): KeptTokens {
  const tokens = stored.parse(JSON.parse(text.reveal()));
  return {
    generation: tokens.generation,
    accessToken: new Secret(tokens.access_token),
    refreshToken: tokens.refresh_token === null ? undefined : new Secret(tokens.refresh_token),
    expiresAt: tokens.expires_at === null ? undefined : new Date(tokens.expires_at),
    scope: tokens.scope ?? undefined,
  };
}

function at(
  { tenant_id, connection_id }: Owner,
  field: string,
): {
  tenantId: string;
  connection: string;
  field: string;
} {
  return { tenantId: tenant_id, connection: connection_id, field };
}
