/** Where an OpenID provider is, and what it calls itself. */
export interface OpenIdEndpoints {
  issuer: string;
  authorization: string;
  token: string;
  keys: string;
}

/** Where the providers are. Tests put servers of their own in their places. */
export interface ProviderEndpoints {
  github: { authorization: string; token: string; user: string; emails: string };
  google: OpenIdEndpoints;
  apple: OpenIdEndpoints;
  /** @param tenantId - The directory's id. */
  microsoft: (tenantId: string) => OpenIdEndpoints;
}

/** The providers themselves. */
export const PROVIDER_ENDPOINTS: ProviderEndpoints = {
  github: {
    authorization: 'https://github.com/login/oauth/authorize',
    token: 'https://github.com/login/oauth/access_token',
    user: 'https://api.github.com/user',
    emails: 'https://api.github.com/user/emails',
  },
  google: {
    issuer: 'https://accounts.google.com',
    authorization: 'https://accounts.google.com/o/oauth2/v2/auth',
    token: 'https://oauth2.googleapis.com/token',
    keys: 'https://www.googleapis.com/oauth2/v3/certs',
  },
  apple: {
    issuer: 'https://appleid.apple.com',
    authorization: 'https://appleid.apple.com/auth/authorize',
    token: 'https://appleid.apple.com/auth/token',
    keys: 'https://appleid.apple.com/auth/keys',
  },
  microsoft: (tenantId) => ({
    issuer: `https://login.microsoftonline.com/${tenantId}/v2.0`,
    authorization: `https://login.microsoftonline.com/${tenantId}/oauth2/v2.0/authorize`,
    token: `https://login.microsoftonline.com/${tenantId}/oauth2/v2.0/token`,
    keys: `https://login.microsoftonline.com/${tenantId}/discovery/v2.0/keys`,
  }),
};
