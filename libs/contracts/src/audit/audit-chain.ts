import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { z } from 'zod';
import { auditEvent } from '../topics/access.topics.ts';

/** What the first line of a chain names as the hash of the one before it. */
export const FIRST_PREVIOUS_HASH = '0'.repeat(64);

/**
 * One line of a tenant's audit log, as it is read, exported and hashed.
 *
 * The lines of a tenant are a chain: each carries the hash of the one before, and its own hash
 * covers that and everything else that it says. Whoever alters, removes or moves a line breaks the
 * chain there, or has to make every later hash anew, up to a head that was written down elsewhere.
 */
export const auditLine = auditEvent.omit({ schema: true }).extend({
  /** 1, 2, 3 … for each tenant, in the order in which the lines were written. */
  seq: z.int().positive(),
  previous_hash: z.string(),
  hash: z.string(),
});
export type AuditLine = z.output<typeof auditLine>;

/** A place in a chain: its last line at some time. */
export const chainHead = z.object({
  tenant_id: z.string(),
  seq: z.int().nonnegative(),
  hash: z.string(),
});
export type ChainHead = z.output<typeof chainHead>;

/** SHA-256, in hexadecimal, of the canonical form (RFC 8785) of everything but `hash` itself. */
export function auditHash(line: Omit<AuditLine, 'hash'> & { hash?: string }): string {
  // As in JSON, a field that is undefined is none.
  return createHash('sha256')
    .update(canonicalize({ ...line, hash: undefined }) ?? '')
    .digest('hex');
}
