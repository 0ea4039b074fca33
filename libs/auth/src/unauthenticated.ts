import { Problem } from '@soma/kernel';

/** What every 401 must carry (RFC 9110 §15.5.2, RFC 6750 §3). */
const headers = { 'www-authenticate': 'Bearer' };

export function missingCredential(): Problem {
  return new Problem({
    status: 401,
    code: 'missing_credential',
    detail: 'Send an access token in the header "Authorization: Bearer <token>".',
    headers,
  });
}

/** One answer for every fault of a token, so that a forger learns nothing from it. */
export function invalidToken(cause?: unknown): Problem {
  return new Problem({
    status: 401,
    code: 'invalid_token',
    detail: 'The access token is not valid here. Ask the identity service for a new one.',
    headers,
    cause,
  });
}
