import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Principal } from '@soma/contracts';
import { OperatorRule } from './operator-rule.ts';

const SETTINGS = { IDENTITY_OPERATOR_TENANT: 'soma' };

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

  it('is the operator alone, whom others need not trust with a scope', () => {
    const rule = new OperatorRule(SETTINGS);

    expect(() => {
      rule.assert(of('soma'));
    }).not.toThrow();
    expect(() => {
      rule.assert(of('acme'));
    }).toThrow(expect.objectContaining({ status: 403, code: 'operator_required' }));
  });

  it('is whoever may change connections on a machine of development', () => {
    process.env['NODE_ENV'] = 'development';
    const rule = new OperatorRule(SETTINGS);

    expect(() => {
      rule.assert(of('acme'));
    }).not.toThrow();
  });
});
