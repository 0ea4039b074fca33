import { describe, expect, it } from '@jest/globals';
import { relationOf, relationRoles } from './relations.ts';
import { memberRole, roleScopes } from './roles.ts';
import { accessScope } from './scopes.ts';

describe('relationOf', () => {
  it.each(accessScope.options)('holds for exactly the roles that may have %s', (scope) => {
    const roles = memberRole.options.filter((role) => roleScopes[role].includes(scope));

    expect([...relationRoles[relationOf(scope)]].sort()).toEqual(roles.sort());
  });
});
