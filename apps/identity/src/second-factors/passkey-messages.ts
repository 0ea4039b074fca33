import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server';
import { decodeClientDataJSON } from '@simplewebauthn/server/helpers';
import { z } from 'zod';

const base64url = z
  .string()
  .max(16_384)
  .regex(/^[A-Za-z0-9_-]*$/, 'must be base64url');

/** The id of a passkey in an address. */
export const passkeyId = z.string().regex(/^[A-Za-z0-9_-]{1,512}$/);

const credential = {
  id: base64url,
  rawId: base64url,
  type: z.literal('public-key'),
  authenticatorAttachment: z.string().max(32).nullish(),
  clientExtensionResults: z.looseObject({}),
};

/** What `PublicKeyCredential.toJSON()` gives after a registration (WebAuthn §5.1.8). */
export const registrationResponse = z.object({
  ...credential,
  response: z.looseObject({
    clientDataJSON: base64url,
    attestationObject: base64url,
    transports: z.array(z.string().max(32)).max(16).optional(),
  }),
});

/** What it gives after a proof. */
export const proofResponse = z.object({
  ...credential,
  response: z.looseObject({
    clientDataJSON: base64url,
    authenticatorData: base64url,
    signature: base64url,
    userHandle: base64url.nullish(),
  }),
});

export type RegistrationResponse = z.output<typeof registrationResponse>;
export type ProofResponse = z.output<typeof proofResponse>;

/** The shape has been checked; the library's types only spell its texts out. */
export function asRegistration(response: RegistrationResponse): RegistrationResponseJSON {
  return response as unknown as RegistrationResponseJSON;
}

export function asProof(response: ProofResponse): AuthenticationResponseJSON {
  return response as unknown as AuthenticationResponseJSON;
}

/** Which challenge was signed, as far as one can be read. */
export function challengeOf({ response }: RegistrationResponse | ProofResponse): string {
  try {
    return decodeClientDataJSON(response.clientDataJSON).challenge;
  } catch {
    return '';
  }
}
