/*
 * Where providers leave the standards, as data.
 *
 * Nothing else in this folder knows a provider by name: what is written here is applied by
 * `token-answer.ts` to what a provider answers, and by `authorization-url.ts` to what it is asked.
 */

/** How one provider leaves RFC 6749. */
export interface ProviderQuirks {
  /** The hosts of its token endpoint. */
  hosts: readonly string[];
  /** What a browser must bring along besides, for the provider to give a refresh token. */
  authorizationParameters?: Readonly<Record<string, string>>;
  /** Answers errors with status 200. */
  hasErrorsWithStatus200?: true;
  /** Where tokens are when they are not at the top of the answer; the first that has some. */
  tokenPath?: string;
  /** Token types of its own that are used as `bearer` is. */
  bearerTypes?: readonly string[];
  /** Errors of its own that are about a moment. */
  passingErrors?: readonly string[];
  /** How scopes are joined; the standard says by spaces. */
  scopeSeparator?: ',';
  /** How the client proves itself where no metadata says it; the standard says `basic`. */
  authentication?: 'client_secret_post';
}

const QUIRKS = {
  // docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps: form-encoded unless
  // asked for JSON, and faults such as `bad_verification_code` with 200.
  github: {
    hosts: ['github.com'],
    hasErrorsWithStatus200: true,
    authentication: 'client_secret_post',
  },
  // developers.google.com/identity/protocols/oauth2/web-server: no refresh token without
  // `access_type=offline`, and none at a second consent without `prompt=consent`.
  google: {
    hosts: ['oauth2.googleapis.com', 'accounts.google.com', 'www.googleapis.com'],
    authorizationParameters: { access_type: 'offline', prompt: 'consent' },
    authentication: 'client_secret_post',
  },
  // docs.slack.dev/authentication/installing-with-oauth: `{ok: false, error}` with 200; a person's
  // tokens lie under `authed_user`; token types `bot` and `user`; scopes joined by commas.
  slack: {
    hosts: ['slack.com'],
    hasErrorsWithStatus200: true,
    tokenPath: 'authed_user',
    bearerTypes: ['bot', 'user'],
    passingErrors: ['fatal_error', 'internal_error', 'ratelimited', 'service_unavailable'],
    scopeSeparator: ',',
  },
  // developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow.
  meta: {
    hosts: ['graph.facebook.com'],
    scopeSeparator: ',',
    authentication: 'client_secret_post',
  },
  // developer.atlassian.com/cloud/jira/platform/oauth-2-3lo-apps.
  atlassian: {
    hosts: ['auth.atlassian.com'],
    authorizationParameters: { audience: 'api.atlassian.com', prompt: 'consent' },
    authentication: 'client_secret_post',
  },
} as const satisfies Record<string, ProviderQuirks>;

/** The providers that leave the standards, by name. */
export type ProviderName = keyof typeof QUIRKS;

/** For a schema. */
export const providerNames = Object.keys(QUIRKS) as [ProviderName, ...ProviderName[]];

const NONE: ProviderQuirks = { hosts: [] };

/** What to expect of a provider; nothing special where it has no name. */
export function quirksOf(provider: ProviderName | null): ProviderQuirks {
  return provider === null ? NONE : QUIRKS[provider];
}

/** Whose token endpoint this is, where we know it. */
export function providerOf(tokenEndpoint: string): ProviderName | null {
  const { hostname } = new URL(tokenEndpoint);
  const isTheirs = (name: ProviderName): boolean => quirksOf(name).hosts.includes(hostname);
  return providerNames.find(isTheirs) ?? null;
}
