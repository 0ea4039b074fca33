import type { IncomingMessage, ServerResponse } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type Provider from 'oidc-provider';
import { type CurrentKeys, KeyRing } from '../signing-keys/key-ring.ts';
import { createProvider, ProviderParts } from './create-provider.ts';
import { OAUTH_OPTIONS, type OAuthOptions } from './oauth-options.ts';

/** A provider, and the keys that it was made with. */
interface Made {
  keyIds: string;
  provider: Provider;
  answer: ReturnType<Provider['callback']>;
}

/** The authorisation server, for those who hand requests to it. */
@Injectable()
export class AuthorizationServer {
  private made: Made | undefined;

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
    return this.withCurrentKeys().provider;
  }

  /** Answers a request by itself. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    await this.withCurrentKeys().answer(request, response);
  }

  private withCurrentKeys(): Made {
    const keys = this.ring.now();
    const keyIds = idsOf(keys);
    if (this.made?.keyIds !== keyIds) {
      const provider = createProvider(this.parts, keys);
      this.made = { keyIds, provider, answer: provider.callback() };
    }
    return this.made;
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
