import type { RelationshipTuple } from '@soma/auth';

/** One row of what the relationship server does not know yet. */
export interface RelationshipChange {
  /** A bigint, which the driver leaves as text. */
  change_id: string;
  subject: string;
  relation: string;
  object: string;
  is_removed: boolean;
}

/**
 * What is left to write when changes are applied in their order: of each relationship its last
 * state. One request may name a relationship only once.
 */
export function latestChanges(changes: readonly RelationshipChange[]): {
  writes: RelationshipTuple[];
  deletes: RelationshipTuple[];
} {
  const latest = new Map<string, RelationshipChange>();
  for (const change of changes) {
    latest.set(JSON.stringify([change.subject, change.relation, change.object]), change);
  }
  const toTuples = (isRemoved: boolean): RelationshipTuple[] =>
    [...latest.values()]
      .filter(({ is_removed }) => is_removed === isRemoved)
      .map(({ subject: user, relation, object }) => ({ user, relation, object }));
  return { writes: toTuples(false), deletes: toTuples(true) };
}
