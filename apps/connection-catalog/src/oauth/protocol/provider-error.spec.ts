import { describe, expect, it } from '@jest/globals';
import { ProviderRefusal, renewalOf } from './provider-error.ts';

describe('renewalOf', () => {
  it.each([
    ['invalid_grant', 'refused'],
    ['unheard_of', 'refused'],
    ['invalid_client', 'misconfigured'],
    // For devices (RFC 8628 §3.5), and yet some providers say it whenever they are asked too often.
    ['slow_down', 'unanswered'],
  ])('takes %s for %s', (error, kind) => {
    expect(renewalOf(new ProviderRefusal(error, 'POST /token'))).toMatchObject({ kind, error });
  });
});
