import { describe, expect, it } from '@jest/globals';
import type { Principal } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { demandFreshSignIn, demandSecondFactor, FRESH_FOR_SECONDS } from './step-up.ts';

const NOW_S = 1_800_000_000;
const program: Principal = { subject: 'agent-7', tenant_id: 'acme', scopes: [] };
const fresh: Principal = {
  ...program,
  role: 'owner',
  authentication_methods: ['fed', 'otp', 'mfa'],
  authenticated_at: NOW_S - FRESH_FOR_SECONDS,
};

function refusalOf(demand: typeof demandSecondFactor, principal: Principal): Problem | undefined {
  try {
    demand(principal, NOW_S * 1000);
    return undefined;
  } catch (error) {
    return error as Problem;
  }
}

describe('a step-up', () => {
  it.each<[string, Partial<Principal>]>([
    ['a sign-in with one factor', { authentication_methods: ['fed'] }],
    ['a token that says nothing of methods', { authentication_methods: undefined }],
    ['a proof that is too old', { authenticated_at: NOW_S - FRESH_FOR_SECONDS - 1 }],
    ['a proof without a time', { authenticated_at: undefined }],
  ])('is demanded after %s', (_name, change) => {
    const refusal = refusalOf(demandSecondFactor, { ...fresh, ...change });

    expect(refusal).toBeInstanceOf(Problem);
    expect(refusal).toMatchObject({ status: 401, code: 'step_up_required' });
    expect(refusal?.headers['www-authenticate']).toBe(
      'Bearer error="insufficient_user_authentication", ' +
        'error_description="Prove your second factor again, then repeat this.", ' +
        'acr_values="urn:soma:acr:two-factors", max_age="300"',
    );
  });

  it('is not demanded of who has just made it, and of no program', () => {
    expect(refusalOf(demandSecondFactor, fresh)).toBeUndefined();
    expect(refusalOf(demandSecondFactor, program)).toBeUndefined();
  });

  it('can ask for a new sign-in alone', () => {
    const one: Principal = { ...fresh, authentication_methods: ['fed'] };

    expect(refusalOf(demandFreshSignIn, one)).toBeUndefined();
    const old = refusalOf(demandFreshSignIn, { ...one, authenticated_at: NOW_S - 301 });
    expect(old?.headers['www-authenticate']).toContain('acr_values="urn:soma:acr:one-factor"');
  });
});
