import type { IncomingHttpHeaders } from 'node:http';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { accessScope, type Principal } from '@soma/contracts';
import { ConfigError, isDevelopment } from '@soma/kernel';
import type { EngineOptions } from './access/engines.ts';
import { TokenVerifier, type TokenVerifierOptions, type VerifiedToken } from './token-verifier.ts';
import { bearerToken, findBearerToken } from './bearer-token.ts';
import { invalidToken } from './unauthenticated.ts';

/** Who may come in, and who decides what they may do. */
export interface AuthenticationOptions extends TokenVerifierOptions, EngineOptions {
  /** For whom the tokens of other services must be meant. Default: as those of everybody. */
  internalAudience?: string;
  /** False lets everyone in as {@link defaultTenant}. It works in development alone. */
  requireAuth: boolean;
  /** Whose data is touched while `requireAuth` is false. */
  defaultTenant: string;
}

/** Says who sends a request. For plain HTTP, event streams and WebSocket upgrades alike. */
@Injectable()
export class Authenticator implements OnModuleInit {
  private readonly anonymous: VerifiedToken;

  constructor(
    private readonly options: AuthenticationOptions,
    private readonly verifier = new TokenVerifier(options),
  ) {
    if (!options.requireAuth && !isDevelopment()) {
      throw new ConfigError(
        'GATEWAY_REQUIRE_AUTH=false opens every tenant to everyone. It is accepted only with ' +
          'NODE_ENV=development.',
      );
    }
    const { defaultTenant: tenant_id } = options;
    this.anonymous = {
      principal: { subject: 'anonymous', tenant_id, scopes: accessScope.options },
      expiresAtMs: Infinity,
      confirmation: undefined,
    };
  }

  /** Has the keys at hand before the first request, where the issuer is up already. */
  async onModuleInit(): Promise<void> {
    if (this.options.requireAuth) {
      await this.verifier.prefetchKeys();
    }
  }

  /** What is known of a sender by a token that was seen before. It takes a hash and no more. */
  recall(headers: IncomingHttpHeaders): VerifiedToken | 'refused' | undefined {
    if (!this.options.requireAuth) {
      return this.anonymous;
    }
    const token = findBearerToken(headers);
    const known = token === undefined ? undefined : this.verifier.recall(token);
    if (known === undefined || known === 'refused') {
      return known;
    }
    return known.confirmation === undefined ? known : 'refused';
  }

  /** Whether a token still speaks for its sender: between two looks at it may be minutes. */
  isStillGood(token: VerifiedToken): boolean {
    return this.verifier.isStillGood(token);
  }

  /** @throws Problem 401 without a valid access token in the header `Authorization`. */
  async authenticate(headers: IncomingHttpHeaders, address?: string): Promise<Principal> {
    if (!this.options.requireAuth) {
      return this.anonymous.principal;
    }
    const { principal, confirmation } = await this.verifier.verify(bearerToken(headers), address);
    if (confirmation !== undefined) {
      // The token of a service speaks for that service, and only beside a proof: see InternalGuard.
      throw invalidToken();
    }
    return principal;
  }
}
