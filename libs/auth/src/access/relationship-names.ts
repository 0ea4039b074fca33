import { hash } from 'node:crypto';

/** OpenFGA takes 256 bytes for an object and 512 for a user, the type included. */
const MAX_LENGTH = 200;

/** One relationship, as OpenFGA keeps it: `user` is `relation` of `object`. */
export interface RelationshipTuple {
  user: string;
  relation: string;
  object: string;
}

/** A tenant, as an object of relationships. */
export function tenantName(tenantId: string): string {
  return nameOf('tenant', tenantId);
}

/** A person, by the subject of their tokens. */
export function personName(subject: string): string {
  return nameOf('user', subject);
}

/** A service, by the subject of its tokens. */
export function serviceName(subject: string): string {
  return nameOf('service', subject);
}

/** A thing of a tenant. */
export function objectName(type: string, tenantId: string, id: string): string {
  return nameOf(type, tenantId, id);
}

/**
 * Different things have different names whatever characters are in them. What is too long is told by
 * its hash, which no escape begins like; and `*`, which would mean everybody, is escaped too.
 */
function nameOf(type: string, ...parts: string[]): string {
  const name = parts.map((part) => encodeURIComponent(part).replaceAll('*', '%2A')).join('/');
  return `${type}:${name.length <= MAX_LENGTH ? name : `%sha256-${hash('sha256', name)}`}`;
}
