import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type Provider from 'oidc-provider';
import { ApiKeyClients } from '../api-keys/api-key-clients.ts';
import type { SigningKey } from '../signing-keys/signing-keys.ts';
import { createProvider } from './create-provider.ts';
import { OidcRecords } from './oidc-records.ts';
import { PersonAccess } from './person-access.ts';
import type { RegisteredClients } from './registered-clients.ts';

/** Under this token is the `iss` of every token. */
export const ISSUER = Symbol('ISSUER');
/** Under this token are the registered clients. */
export const CLIENTS = Symbol('CLIENTS');
/** Under this token are the keys, the one that signs first. */
export const KEYS = Symbol('KEYS');

/** The authorisation server, for those who hand requests to it. */
@Injectable()
export class AuthorizationServer {
  private readonly provider: Provider;

  constructor(
    @Inject(ISSUER) issuer: string,
    @Inject(CLIENTS) clients: RegisteredClients,
    @Inject(KEYS) keys: readonly SigningKey[],
    records: OidcRecords,
    people: PersonAccess,
    apiKeys: ApiKeyClients,
  ) {
    this.provider = createProvider({ issuer, keys, clients, records, people, apiKeys });
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
      'x-forwarded-for': request.ip,
    });
  }
}
