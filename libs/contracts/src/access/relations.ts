import { z } from 'zod';
import { type MemberRole, memberRole, roleScopes } from './roles.ts';
import type { AccessScope } from './scopes.ts';

/** The kinds of things that requests are about, as policies and the audit log name them. */
export type AccessResource =
  | 'account'
  | 'api_key'
  | 'audit_log'
  | 'capsule'
  | 'connection'
  | 'member'
  | 'model'
  | 'persona'
  | 'session'
  | 'tenant'
  | 'tool'
  | 'webhook';

/**
 * What somebody can be to a tenant, as `infra/openfga/model.fga` derives it from the roles. A
 * service of the tenant is all of it: what it may do, its scopes alone say.
 */
const tenantRelation = z.enum(['proprietor', 'administrator', 'contributor', 'reader', 'overseer']);
export type TenantRelation = z.output<typeof tenantRelation>;

/** Who each relation holds for. */
export const relationRoles: Readonly<Record<TenantRelation, readonly MemberRole[]>> = {
  proprietor: ['owner'],
  administrator: ['owner', 'admin'],
  contributor: ['owner', 'admin', 'member'],
  reader: ['owner', 'admin', 'member', 'viewer'],
  overseer: ['owner', 'admin', 'auditor'],
};

/** The relation to the tenant that a scope needs: the one that holds for exactly the same roles. */
export function relationOf(scope: AccessScope): TenantRelation {
  const roles = memberRole.options.filter((role) => roleScopes[role].includes(scope));
  const found = tenantRelation.options.find((relation) => isSame(relationRoles[relation], roles));
  if (found === undefined) {
    throw new Error(`No relation to a tenant holds for exactly the roles that have ${scope}.`);
  }
  return found;
}

function isSame(left: readonly MemberRole[], right: readonly MemberRole[]): boolean {
  return left.length === right.length && left.every((role) => right.includes(role));
}
