import { z } from 'zod';

/** The providers that people may sign in with, as they stand in addresses and rows. */
export const providerName = z.enum(['github', 'google', 'microsoft', 'apple']);
export type ProviderName = z.output<typeof providerName>;

/** What is sent along with the browser, and must be true of what comes back. */
export interface ProviderRequest {
  state: string;
  nonce: string;
  codeVerifier: string;
}

/** What came back with the browser. */
export interface ProviderAnswer extends Omit<ProviderRequest, 'state'> {
  code: string;
  /** What Apple says beside the code, unsigned, and only the first time. */
  displayName: string | undefined;
}

/** A person as a provider knows them. The provider vouches for the e-mail address. */
export interface ExternalIdentity {
  provider: ProviderName;
  /** The provider's own id of the person, which never changes. */
  subject: string;
  /** In lower case. */
  email: string;
  display_name: string;
}

/** Somebody else's sign-in, which says who a person is. */
export interface IdentityProvider {
  readonly name: ProviderName;
  /** How people call it. */
  readonly title: string;
  /** Whether the browser comes back with a form that the provider's page posts (`form_post`). */
  readonly postsBack: boolean;
  /** Where the browser is sent. */
  authorizationUrl: (request: ProviderRequest) => URL;
  /**
   * Finds out who signed in.
   *
   * @throws {@link ProviderRefusal} when what came back does not hold, {@link TransientError} or
   *   `UnclearAnswerError` when the provider does not answer.
   */
  identify: (answer: ProviderAnswer) => Promise<ExternalIdentity>;
}

/** Why a person is not signed in although the provider sent them back. A metric's label. */
export type RefusalReason = 'code_refused' | 'token_invalid' | 'email_unverified';

/** What came back from a provider does not say who the person is. */
export class ProviderRefusal extends Error {
  override readonly name = 'ProviderRefusal';

  constructor(
    readonly reason: RefusalReason,
    cause?: unknown,
  ) {
    super(`The answer of the provider does not count: ${reason}.`, { cause });
  }
}
