import type { Secret } from '@soma/kernel';
import { importPKCS8, SignJWT } from 'jose';
import { ALGORITHM } from './principal-assertion.ts';

const LIFETIME = '5 minutes';

/** Who proves to be which client to whom. */
export interface ClientAssertion {
  issuer: string;
  clientId: string;
  audience: string;
  keyId: string;
  /** A P-256 key in PKCS #8 (PEM). */
  privateKey: Secret;
}

/** Signs what takes the place of a client's secret where the provider asks for a signed one. */
export async function signClientAssertion(assertion: ClientAssertion): Promise<string> {
  return new SignJWT()
    .setProtectedHeader({ alg: ALGORITHM, kid: assertion.keyId })
    .setIssuer(assertion.issuer)
    .setSubject(assertion.clientId)
    .setAudience(assertion.audience)
    .setIssuedAt()
    .setExpirationTime(LIFETIME)
    .sign(await importPKCS8(assertion.privateKey.reveal(), ALGORITHM));
}
