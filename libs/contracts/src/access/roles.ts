import { z } from 'zod';
import { type AccessScope, accessScope } from './scopes.ts';

/** What a person is in a tenant. */
export const memberRole = z.enum(['owner', 'admin', 'member', 'viewer', 'auditor']);
export type MemberRole = z.output<typeof memberRole>;

const READING: readonly AccessScope[] = [
  'sessions:read',
  'personas:read',
  'models:read',
  'capsules:read',
  'connections:read',
  'webhooks:read',
  'tools:read',
];

const WORKING: readonly AccessScope[] = [...READING, 'sessions:write', 'tools:run'];

const EVERYTHING: readonly AccessScope[] = accessScope.options;

/** The scopes that a token of a person may have at most, by the person's role in the tenant. */
export const roleScopes: Readonly<Record<MemberRole, readonly AccessScope[]>> = {
  owner: EVERYTHING,
  // Only an owner changes or deletes the tenant itself.
  admin: EVERYTHING.filter((scope) => scope !== 'tenants:write'),
  member: WORKING,
  viewer: READING,
  auditor: ['audit:read', 'members:read', 'tenants:read'],
};
