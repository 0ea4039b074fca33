import { generateSecret, generateURI, verifySync } from 'otplib';
import QRCode from 'qrcode';

/** RFC 6238 as every app knows it: SHA-1, six digits, a code for each half minute. */
const STEP_SECONDS = 30;
const ISSUER = 'Soma';
const CODE = /^\d{6}$/;

/** What an app is told once, to show codes from then on. */
export interface TotpEnrolment {
  /** In base32, for who types it in. */
  secret: string;
  otpauth_url: string;
  /** The same as a picture, as a `data:` URL. */
  qr_code: string;
}

/** A new secret: 160 random bits, as RFC 4226 §4 recommends. */
export async function newTotp(email: string): Promise<TotpEnrolment> {
  const secret = generateSecret();
  const otpauth_url = generateURI({ issuer: ISSUER, label: email, secret });
  return { secret, otpauth_url, qr_code: await qrCodeOf(otpauth_url) };
}

/** As SVG: to pack a PNG takes ten times as long, in which the process does nothing else. */
async function qrCodeOf(text: string): Promise<string> {
  const svg = await QRCode.toString(text, { type: 'svg' });
  return `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`;
}

/**
 * The time step that a code belongs to: this one, the one before or the one after. Whether the step
 * has been used is for the database to say.
 */
export function stepOf(secret: string, code: string, nowMs: number): number | undefined {
  if (!CODE.test(code)) {
    return undefined;
  }
  const epoch = Math.floor(nowMs / 1000);
  const result = verifySync({ secret, token: code, epoch, epochTolerance: STEP_SECONDS });
  return result.valid && 'timeStep' in result ? result.timeStep : undefined;
}
