import type { IncomingHttpHeaders } from 'node:http';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { Principal } from '@soma/contracts';
import { ConfigError, isDevelopment } from '@soma/kernel';
import { TokenVerifier, type TokenVerifierOptions } from './token-verifier.ts';
import { missingCredential } from './unauthenticated.ts';
import { VerificationKeys } from './verification-keys.ts';
import { VerifiedTokens } from './verified-tokens.ts';

const BEARER = /^Bearer +(\S+)$/i;

/** Who may come in. */
export interface AuthenticationOptions extends TokenVerifierOptions {
  /** Where the issuer publishes its keys. */
  jwksUrl: string;
  /** False lets everyone in as {@link defaultTenant}. It works in development alone. */
  requireAuth: boolean;
  /** Whose data is touched while `requireAuth` is false. */
  defaultTenant: string;
}

/** Says who sends a request. For plain HTTP, event streams and WebSocket upgrades alike. */
@Injectable()
export class Authenticator implements OnModuleInit {
  private readonly keys: VerificationKeys;
  private readonly verifier: TokenVerifier;
  private readonly verified = new VerifiedTokens();
  private readonly anonymous: Principal;

  constructor(private readonly options: AuthenticationOptions) {
    if (!options.requireAuth && !isDevelopment()) {
      throw new ConfigError(
        'GATEWAY_REQUIRE_AUTH=false opens every tenant to everyone. It is accepted only with ' +
          'NODE_ENV=development.',
      );
    }
    this.keys = new VerificationKeys(options.jwksUrl);
    this.verifier = new TokenVerifier(options, this.keys.find);
    this.anonymous = { subject: 'anonymous', tenant_id: options.defaultTenant, scopes: [] };
  }

  /** Has the keys at hand before the first request, where the issuer is up already. */
  async onModuleInit(): Promise<void> {
    if (this.options.requireAuth) {
      await this.keys.prefetch();
    }
  }

  /** @throws Problem 401 without a valid access token in the header `Authorization`. */
  async authenticate(headers: IncomingHttpHeaders): Promise<Principal> {
    if (!this.options.requireAuth) {
      return this.anonymous;
    }
    const token = BEARER.exec(headers.authorization ?? '')?.[1];
    if (token === undefined) {
      throw missingCredential();
    }
    return this.verified.find(token) ?? this.verify(token);
  }

  private async verify(token: string): Promise<Principal> {
    const verified = await this.verifier.verify(token);
    this.verified.add(token, verified);
    return verified.principal;
  }
}
