import { ACR } from '@soma/auth';
import { Problem } from '@soma/kernel';

/** What a second factor adds to a sign-in. */
export interface ProvenFactor {
  /** RFC 8176. */
  amr: string[];
  acr: string;
}

/** A code of an app, or a recovery code: a password that is good for one time. */
export const CODE_FACTOR: ProvenFactor = { amr: ['otp', 'mfa'], acr: ACR.twoFactors };

/**
 * A passkey.
 *
 * @param isSynced - Its key may be on several devices, and is then no hardware's secret.
 * @param isUserVerified - The authenticator asked for a fingerprint, a face or a PIN.
 */
export function passkeyFactor(isSynced: boolean, isUserVerified: boolean): ProvenFactor {
  const methods = [isSynced ? 'swk' : 'hwk', ...(isUserVerified ? ['user'] : []), 'mfa'];
  return { amr: methods, acr: ACR.passkey };
}

/** One answer for every fault, so that who guesses learns nothing from it. */
export function factorRefused(cause?: unknown): Problem {
  return new Problem({
    status: 403,
    code: 'second_factor_refused',
    detail: 'That is not a proof that counts now. Use the newest code, or a passkey of yours.',
    cause,
  });
}
