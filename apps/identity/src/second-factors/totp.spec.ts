import { describe, expect, it } from '@jest/globals';
import { generateSync } from 'otplib';
import { newTotp, stepOf } from './totp.ts';

/** The secret of RFC 6238 appendix B, in base32. */
const RFC_SECRET = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';

describe('a code of an app', () => {
  it.each([
    // The last six of the eight digits of the vectors for SHA-1.
    [59, '287082'],
    [1_111_111_109, '081804'],
    [1_234_567_890, '005924'],
    [20_000_000_000, '353130'],
  ])('is that of RFC 6238 appendix B at %d s', (seconds, code) => {
    expect(stepOf(RFC_SECRET, code, seconds * 1000)).toBe(Math.floor(seconds / 30));
  });

  it.each([
    [-2, false],
    [-1, true],
    [0, true],
    [1, true],
    [2, false],
  ])('counts %d steps from its own: %s', (steps, counts) => {
    for (const secondOfStep of [0, 29]) {
      const now = 1_800_000_000 + secondOfStep;
      const code = generateSync({ secret: RFC_SECRET, epoch: now + steps * 30 });
      const step = Math.floor(now / 30) + steps;

      expect(stepOf(RFC_SECRET, code, now * 1000)).toBe(counts ? step : undefined);
    }
  });

  it.each(['', '12345', '1234567', 'abcdef', '12345６', '-12345', '1e5000'])(
    'is six digits and not %j',
    (code) => {
      expect(stepOf(RFC_SECRET, code, 0)).toBeUndefined();
    },
  );

  it('comes from 160 random bits, and a picture that apps read', async () => {
    const { secret, otpauth_url, qr_code } = await newTotp('ann@example.com');

    expect(secret).toMatch(/^[A-Z2-7]{32}$/);
    expect((await newTotp('ann@example.com')).secret).not.toBe(secret);
    expect(new URL(otpauth_url)).toMatchObject({ protocol: 'otpauth:', host: 'totp' });
    expect(otpauth_url).toContain('Soma');
    expect(Buffer.from(qr_code.split(',')[1] ?? '', 'base64').toString()).toMatch(/^<svg .*<path /);
  });
});
