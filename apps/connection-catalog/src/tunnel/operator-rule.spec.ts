import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Principal } from '@soma/contracts';
import { OperatorRule } from './operator-rule.ts';

const ALLOWED = { INTEGRATIONS_TUNNEL_OUTSIDE_DEVELOPMENT: true, IDENTITY_OPERATOR_TENANT: 'soma' };
const FORBIDDEN = { ...ALLOWED, INTEGRATIONS_TUNNEL_OUTSIDE_DEVELOPMENT: false };

function of(tenant_id: string): Principal {
  return { tenant_id, subject: 'ann', scopes: ['connections:write'] };
}

describe('who may open a tunnel', () => {
  const before = process.env['NODE_ENV'];
  beforeEach(() => {
    process.env['NODE_ENV'] = 'production';
  });
  afterEach(() => {
    process.env['NODE_ENV'] = before;
  });

  it('is nobody outside of development, unless the operator allows it (P7)', () => {
    expect(() => new OperatorRule(FORBIDDEN)).toThrow('NODE_ENV=development');

    process.env['NODE_ENV'] = 'development';
    expect(() => new OperatorRule(FORBIDDEN)).not.toThrow();
  });

  it('is the operator alone, whom others need not trust with a scope', () => {
    const rule = new OperatorRule(ALLOWED);

    expect(() => {
      rule.assert(of('soma'));
    }).not.toThrow();
    expect(() => {
      rule.assert(of('acme'));
    }).toThrow(expect.objectContaining({ status: 403, code: 'operator_required' }));
  });

  it('is whoever may change connections on a machine of development', () => {
    process.env['NODE_ENV'] = 'development';
    const rule = new OperatorRule(FORBIDDEN);

    expect(() => {
      rule.assert(of('acme'));
    }).not.toThrow();
  });
});
