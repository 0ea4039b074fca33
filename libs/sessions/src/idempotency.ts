import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { EntityManager } from 'typeorm';
import { idempotencyConflict } from './problems.ts';

/** What makes a repeat of a request recognisable. */
export interface Idempotency {
  /** The value of the `Idempotency-Key` header. */
  key: string;
  /** Method and path, as in `POST /v1/session/message`. */
  operation: string;
  /** From {@link bodyHash}. */
  bodyHash: string;
}

/** A key with the caller that it belongs to. */
export interface OwnedKey extends Idempotency {
  subject: string;
  /** The session whose erasure takes the answer along, where there is one. */
  sessionId: string | null;
}

/** SHA-256 of a body's canonical form (RFC 8785), so that neither order nor spacing matters. */
export function bodyHash(body: unknown): string {
  return createHash('sha256')
    .update(canonicalize(body) ?? '')
    .digest('hex');
}

/** The same text for the same key of the same caller; the order in which keys are locked. */
export function keyName({ subject, operation, key }: OwnedKey): string {
  return JSON.stringify([subject, operation, key]);
}

/**
 * Takes keys, in the given order, which must be the sorted one. A key that another transaction is
 * taking at this moment is waited for.
 *
 * @returns By {@link keyName}, the answers of the keys that were taken before; an error in place of
 *   an answer where the body was another one.
 */
export async function takeKeys<Answer>(
  manager: EntityManager,
  tenantId: string,
  keys: readonly OwnedKey[],
): Promise<Map<string, Answer | Error>> {
  const columns = [
    keys.map(({ subject }) => subject),
    keys.map(({ operation }) => operation),
    keys.map(({ key }) => key),
  ];
  const taken = await manager.query<OwnedKey[]>(
    `INSERT INTO conversation.idempotency_keys
       (tenant_id, subject, operation, key, body_hash, session_id, created_at)
     SELECT $1, subject, operation, key, body_hash, session_id, clock_timestamp()
       FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
         AS row (subject, operation, key, body_hash, session_id)
     ON CONFLICT DO NOTHING
     RETURNING subject, operation, key`,
    [
      tenantId,
      ...columns,
      keys.map(({ bodyHash }) => bodyHash),
      keys.map(({ sessionId }) => sessionId),
    ],
  );
  const isNew = new Set(taken.map(keyName));
  const repeats = keys.filter((key) => !isNew.has(keyName(key)));
  return repeats.length === 0 ? new Map() : readAnswers<Answer>(manager, tenantId, repeats);
}

async function readAnswers<Answer>(
  manager: EntityManager,
  tenantId: string,
  keys: readonly OwnedKey[],
): Promise<Map<string, Answer | Error>> {
  const hashes = new Map(keys.map((key) => [keyName(key), key.bodyHash]));
  const rows = await manager.query<(OwnedKey & { answer: Answer | null })[]>(
    `SELECT subject, operation, key, body_hash AS "bodyHash", answer
       FROM conversation.idempotency_keys
       JOIN unnest($2::text[], $3::text[], $4::text[]) AS row (subject, operation, key)
         USING (subject, operation, key)
      WHERE tenant_id = $1`,
    [
      tenantId,
      keys.map(({ subject }) => subject),
      keys.map(({ operation }) => operation),
      keys.map(({ key }) => key),
    ],
  );
  return new Map(
    rows.map((row) => {
      const name = keyName(row);
      const isSame = row.bodyHash === hashes.get(name) && row.answer !== null;
      return [name, isSame && row.answer !== null ? row.answer : idempotencyConflict()];
    }),
  );
}

/**
 * Does a piece of work in the transaction of its key, or answers what the first request with the key
 * was answered. Work that fails gives its key back with the rollback.
 *
 * @throws {@link Problem} 409 `idempotency_conflict` when that request had another body.
 */
export async function answerOnce<Answer extends object>(
  manager: EntityManager,
  { tenantId, key }: { tenantId: string; key: OwnedKey | undefined },
  work: () => Promise<Answer>,
): Promise<Answer> {
  if (key === undefined) {
    return work();
  }
  const earlier = (await takeKeys<Answer>(manager, tenantId, [key])).get(keyName(key));
  if (earlier instanceof Error) {
    throw earlier;
  }
  if (earlier !== undefined) {
    return earlier;
  }
  const answer = await work();
  await keepAnswers(manager, tenantId, [{ key, answer }]);
  return answer;
}

/** Keeps the answers beside the keys that this transaction took. */
export async function keepAnswers(
  manager: EntityManager,
  tenantId: string,
  answers: readonly { key: OwnedKey; answer: object }[],
): Promise<void> {
  if (answers.length === 0) {
    return;
  }
  await manager.query(
    `UPDATE conversation.idempotency_keys AS kept SET answer = row.answer::json
       FROM unnest($2::text[], $3::text[], $4::text[], $5::text[])
         AS row (subject, operation, key, answer)
      WHERE kept.tenant_id = $1
        AND (kept.subject, kept.operation, kept.key) = (row.subject, row.operation, row.key)`,
    [
      tenantId,
      answers.map(({ key }) => key.subject),
      answers.map(({ key }) => key.operation),
      answers.map(({ key }) => key.key),
      answers.map(({ answer }) => JSON.stringify(answer)),
    ],
  );
}

/** Gives keys back whose request was refused. */
export async function forgetKeys(
  manager: EntityManager,
  tenantId: string,
  keys: readonly OwnedKey[],
): Promise<void> {
  if (keys.length === 0) {
    return;
  }
  await manager.query(
    `DELETE FROM conversation.idempotency_keys AS kept
      USING unnest($2::text[], $3::text[], $4::text[]) AS row (subject, operation, key)
      WHERE kept.tenant_id = $1
        AND (kept.subject, kept.operation, kept.key) = (row.subject, row.operation, row.key)`,
    [
      tenantId,
      keys.map(({ subject }) => subject),
      keys.map(({ operation }) => operation),
      keys.map(({ key }) => key),
    ],
  );
}
