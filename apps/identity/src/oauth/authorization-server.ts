import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type Provider from 'oidc-provider';
import { type CurrentKeys, KeyRing } from '../signing-keys/key-ring.ts';
import { createProvider, ProviderParts } from './create-provider.ts';
import { OAUTH_OPTIONS, type OAuthOptions } from './oauth-options.ts';

/** The authorisation server, for those who hand requests to it. */
@Injectable()
export class AuthorizationServer {
  private provider: { keyIds: string; value: Provider } | undefined;

  constructor(
    private readonly parts: ProviderParts,
    private readonly ring: KeyRing,
    @Inject(OAUTH_OPTIONS) private readonly options: OAuthOptions,
  ) {}

  /**
   * The provider with the keys of this moment. It keeps nothing itself, so that with other keys it
   * is another provider: requests that are under way end with the one they began with.
   */
  current(): Provider {
    const keys = this.ring.now();
    const keyIds = idsOf(keys);
    if (this.provider?.keyIds !== keyIds) {
      this.provider = { keyIds, value: createProvider(this.parts, keys) };
    }
    return this.provider.value;
  }

  /**
   * Makes every address that the server tells follow the issuer.
   *
   * They would follow the headers of the request, which anyone can choose.
   */
  pinToIssuer(request: FastifyRequest): void {
    const { host, protocol } = new URL(this.options.issuer);
    Object.assign(request.raw.headers, {
      host,
      'x-forwarded-host': host,
      'x-forwarded-proto': protocol.replace(':', ''),
    });
  }
}

function idsOf({ signing, published }: CurrentKeys): string {
  return [signing, ...published].map(({ kid }) => kid).join(' ');
}
