import { TokenVerifier } from './token-verifier.ts';

/**
 * Verifies the tokens by which other services call this one. A service that also takes the tokens of
 * partners must not take those here: whoever holds one could name any principal.
 */
export class ServiceVerifier extends TokenVerifier {}
