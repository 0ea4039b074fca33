import { Injectable } from '@nestjs/common';
import { Problem } from '@soma/kernel';
import { Envelope } from '@soma/secrets';
import { newAttempt, sealAttempt, STATE_SECONDS } from './oauth-states.ts';
import type { BrowserCookie } from './cookies.ts';
import { callbackPath, IdentityProviders } from './providers/identity-providers.ts';
import { PublicUrl } from './public-url.ts';

/** The cookie that binds a browser to the way it takes. */
export const STATE_COOKIE = 'oauthState';

/** Where a browser goes, and what it takes along. */
export interface WayToProvider {
  url: URL;
  cookie: BrowserCookie;
}

/** Sends a browser to a provider. */
@Injectable()
export class BeginProviderSignIn {
  constructor(
    private readonly providers: IdentityProviders,
    private readonly envelope: Envelope,
    private readonly publicUrl: PublicUrl,
  ) {}

  /** @throws {@link Problem} 404 `provider_not_offered` */
  execute(interaction: string, providerName: string): WayToProvider {
    const provider = this.providers.find(providerName);
    if (provider === undefined) {
      throw new Problem({
        status: 404,
        code: 'provider_not_offered',
        detail: 'Nobody signs in here with this provider. Go back and choose another one.',
      });
    }
    const attempt = newAttempt(interaction, Date.now());
    return {
      url: provider.authorizationUrl(attempt),
      cookie: {
        name: STATE_COOKIE,
        value: sealAttempt(this.envelope, provider.name, attempt),
        path: callbackPath(provider.name),
        maxAgeSeconds: STATE_SECONDS,
        // What Apple's page posts comes from another site; what others send is a plain redirect.
        isCrossSite: provider.postsBack,
        isSecure: this.publicUrl.isSecure,
      },
    };
  }
}
