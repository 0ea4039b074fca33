import { describe, expect, it } from '@jest/globals';
import { type MemberRole, memberRole, type Principal, roleScopes } from '@soma/contracts';
import { mayGrant } from './granting.ts';

function person(role: MemberRole): Principal {
  return { subject: 'ann', tenant_id: 'acme', scopes: [...roleScopes[role]], role };
}

describe('mayGrant', () => {
  it.each<[MemberRole, MemberRole[]]>([
    ['owner', ['owner', 'admin', 'member', 'viewer', 'auditor']],
    ['admin', ['admin', 'member', 'viewer', 'auditor']],
    ['member', ['member', 'viewer']],
    ['viewer', ['viewer']],
    ['auditor', ['auditor']],
  ])('lets nobody grant above their own role: %s', (role, granted) => {
    expect(memberRole.options.filter((each) => mayGrant(person(role), each))).toEqual(granted);
  });

  it('measures a service by its scopes', () => {
    const service = { subject: 'robot', tenant_id: 'acme', scopes: [...roleScopes.viewer] };

    expect(memberRole.options.filter((each) => mayGrant(service, each))).toEqual(['viewer']);
  });

  it('measures a person by the role, however little the token was issued for', () => {
    expect(mayGrant({ ...person('admin'), scopes: ['members:write'] }, 'member')).toBe(true);
  });
});
