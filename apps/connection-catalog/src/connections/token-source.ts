import type { Secret } from '@soma/kernel';

/** A token that holds, and how long. */
export interface FreshToken {
  token: Secret;
  /** Null: it does not say. */
  expiresAt: Date | null;
}

/** Keeps the tokens of connections that somebody has authorised at their provider. */
export interface TokenSource {
  /**
   * One that has expired is refreshed first, and whoever asks waits.
   *
   * @throws {@link Problem} 409 `connection_not_authorized` or `connection_reauthorization_required`,
   *   502 `credential_unavailable`, 503 `connection_token_unavailable`
   */
  find(owner: { tenant_id: string; connection_id: string }): Promise<FreshToken>;
}

/** Under this token a global module provides the {@link TokenSource}. */
export const TOKEN_SOURCE = Symbol('TOKEN_SOURCE');
