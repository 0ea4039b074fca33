import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type Provider from 'oidc-provider';
import { ApiKeyClients } from '../api-keys/api-key-clients.ts';
import type { SigningKey } from '../signing-keys/signing-keys.ts';
import { createProvider } from './create-provider.ts';
import { OidcRecords } from './oidc-records.ts';
import type { RegisteredClients } from './registered-clients.ts';
import { TokenAudit } from './token-audit.ts';
import { TokenContent } from './token-content.ts';

/** What the authorisation server needs to know. */
export interface OAuthOptions {
  /** The `iss` of every token: the address under which the outside world reaches this service. */
  issuer: string;
  /** The address under which browsers reach Soma. */
  apiBaseUrl: string;
  clientsFile: string;
}

/** Under this token are the {@link OAuthOptions}. */
export const OAUTH_OPTIONS = Symbol('OAUTH_OPTIONS');
/** Under this token are the registered clients. */
export const CLIENTS = Symbol('CLIENTS');
/** Under this token are the keys, the one that signs first. */
export const KEYS = Symbol('KEYS');

/** The authorisation server, for those who hand requests to it. */
@Injectable()
export class AuthorizationServer {
  private readonly provider: Provider;

  constructor(
    @Inject(OAUTH_OPTIONS) options: OAuthOptions,
    @Inject(CLIENTS) clients: RegisteredClients,
    @Inject(KEYS) keys: readonly SigningKey[],
    records: OidcRecords,
    content: TokenContent,
    audit: TokenAudit,
    apiKeys: ApiKeyClients,
  ) {
    this.provider = createProvider({ ...options, keys, clients, records, content, audit, apiKeys });
  }

  current(): Provider {
    return this.provider;
  }

  /**
   * Makes every address that the server tells follow the issuer.
   *
   * They would follow the headers of the request, which anyone can choose.
   */
  pinToIssuer(request: FastifyRequest): void {
    const { host, protocol } = new URL(this.provider.issuer);
    Object.assign(request.raw.headers, {
      host,
      'x-forwarded-host': host,
      'x-forwarded-proto': protocol.replace(':', ''),
    });
  }
}
