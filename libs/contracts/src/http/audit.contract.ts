import { z } from 'zod';
import { auditLine } from '../audit/audit-chain.ts';
import { timestamp } from '../identifiers.ts';
import { auditEvent } from '../topics/access.topics.ts';
import { pageLimit } from './page.ts';

const name = z.string().min(1).max(1_024);

/** Query of `GET /v1/audit/export`: which lines. What is absent does not narrow. */
export const auditFilter = z.strictObject({
  /** The subject of who did it. */
  actor: name.optional(),
  action: auditEvent.shape.action.optional(),
  target_type: name.optional(),
  target_id: name.optional(),
  outcome: auditEvent.shape.outcome.optional(),
  /** The first moment that counts. */
  from: timestamp.optional(),
  /** The first moment that counts no more. */
  to: timestamp.optional(),
});
export type AuditFilter = z.output<typeof auditFilter>;

/** Query of `GET /v1/audit`. */
export const auditQuery = auditFilter.extend({
  cursor: z.string().max(512).optional(),
  limit: pageLimit,
});
export type AuditQuery = z.output<typeof auditQuery>;

/** The newest lines first. */
export const auditPage = z.strictObject({
  lines: z.array(auditLine),
  /** Pass it as `cursor` for the next page; null after the last one. */
  next_cursor: z.string().nullable(),
});
export type AuditPage = z.output<typeof auditPage>;
