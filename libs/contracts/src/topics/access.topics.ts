import { z } from 'zod';
import { clientIdentifier, timestamp } from '../identifiers.ts';
import { defineTopic } from './topic.ts';

/** What many services keep copies of, and must let go when it changes. */
const configEntity = z.enum([
  /**
   * `id` is `tenant:subject`; `version` the second since 1970 up to which its tokens are void. With
   * `deleted` it is one token alone, `tenant:subject:jti`, and `version` its `iat`.
   */
  'principal',
  /** `id` is `tenant:key_id`. */
  'api_key',
  /** `id` is a tenant: all that is remembered of its members' rights. */
  'relationships',
  /**
   * `id` is `tenant:name`; `tenant:mcp_servers`, which no name can be, is the list of what the tenant
   * uses its connections with. An entity of its own would break readers that are one version behind.
   */
  'connection',
]);

/** Says that something changed, and nothing of what it is now. Values on it are never secret. */
export const configUpdate = z.object({
  schema: z.string(),
  entity: configEntity,
  id: z.string().min(1),
  /** Grows with each change of the entity; a reader ignores what it has heard or passed. */
  version: z.int().nonnegative(),
  deleted: z.boolean(),
  tenant_id: clientIdentifier,
  occurred_at: timestamp,
});
export type ConfigUpdate = z.output<typeof configUpdate>;

/** Changes that every process drops its copies at, within a second. */
export const configUpdates = defineTopic({
  name: 'config.updates',
  version: 'config.updates.v1',
  schema: configUpdate,
  key: ({ entity, id }) => `${entity}:${id}`,
  // One: every process reads all of it, and a compacted topic is read from its beginning at start.
  partitions: 1,
  retention: 'compacted',
  retry: { attempts: 5, firstDelayMs: 200 },
});

/** One line of a tenant's audit log. No secret, no token and no message's text is ever in it. */
export const auditEvent = z.object({
  schema: z.string(),
  /** A repeat of an id is the same line. */
  audit_id: z.uuid(),
  tenant_id: clientIdentifier,
  actor: z.object({
    /** The subject of the principal, or who an unknown caller claimed to be. */
    subject: z.string(),
    /** Where the request came from; null for what Soma does by itself. */
    address: z.string().nullable(),
  }),
  /** `<noun>.<past participle>`, as in `api_key.created`, `access.denied`. */
  action: z.string().regex(/^[a-z_]+\.[a-z_]+$/),
  target: z.object({ type: z.string(), id: z.string() }),
  outcome: z.enum(['success', 'denied', 'failure']),
  request_id: z.string().nullable(),
  occurred_at: timestamp,
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});
export type AuditEvent = z.output<typeof auditEvent>;

/** What happened, as the one knows it who tells. */
export type AuditReport = Omit<AuditEvent, 'schema' | 'audit_id' | 'occurred_at'>;

/** What happened outside identity and belongs in the audit log. */
export const auditEvents = defineTopic({
  name: 'audit.events',
  version: 'audit.events.v1',
  schema: auditEvent,
  key: ({ tenant_id }) => tenant_id,
  partitions: 6,
  // Longer than identity may be down.
  retention: 7 * 24 * 60 * 60 * 1000,
  retry: { attempts: 5, firstDelayMs: 200 },
});
