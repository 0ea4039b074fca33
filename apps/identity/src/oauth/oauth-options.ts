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
