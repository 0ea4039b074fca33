import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Problem, Secret } from '@soma/kernel';
import { TenantTransaction } from '@soma/persistence';
import { Envelope, type SealContext } from '@soma/secrets';
import type { EntityManager } from 'typeorm';
import type { Caller } from './caller.ts';

/** What a write does, as far as a repeat must be the same. */
export interface Write {
  /** Method and path, as in `POST /v1/api-keys`. */
  operation: string;
  /** As it was validated: its fields are then in the order of the schema. */
  body: object;
}

interface Kept {
  body_hash: Buffer;
  sealed_answer: string | null;
}

/**
 * Runs writes in the caller's tenant, each `Idempotency-Key` once (P3).
 *
 * The key is taken in the transaction of the write, so a write that fails gives it back, and a repeat
 * that comes at the same moment waits and then answers what the first did. Answers are sealed: they
 * may show a secret that is shown once.
 */
@Injectable()
export class IdempotentWrites {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly envelope: Envelope,
  ) {}

  /** @throws {@link Problem} 409 `idempotency_conflict` for a repeat with another body */
  run<Answer extends object>(
    caller: Caller,
    write: Write,
    work: (manager: EntityManager) => Promise<Answer>,
  ): Promise<Answer> {
    const { principal, idempotencyKey: key } = caller;
    if (key === undefined) {
      return this.transaction.run(principal.tenant_id, work);
    }
    const { tenant_id, subject } = principal;
    const id = [tenant_id, subject, write.operation, key] as const;
    return this.transaction.run(tenant_id, async (manager) => {
      const hash = createHash('sha256').update(JSON.stringify(write.body)).digest();
      if (!(await takeKey(manager, id, hash))) {
        return this.answerAgain<Answer>(manager, id, hash);
      }
      const answer = await work(manager);
      const sealed = this.envelope.seal(new Secret(JSON.stringify(answer)), contextOf(id));
      await manager.query(
        `UPDATE identity.idempotency_keys SET sealed_answer = $5 WHERE ${IS_KEY}`,
        [...id, sealed],
      );
      return answer;
    });
  }

  private async answerAgain<Answer>(
    manager: EntityManager,
    id: KeyId,
    hash: Buffer,
  ): Promise<Answer> {
    const [kept] = await manager.query<Kept[]>(
      `SELECT body_hash, sealed_answer FROM identity.idempotency_keys WHERE ${IS_KEY}`,
      [...id],
    );
    if (!kept?.sealed_answer || !kept.body_hash.equals(hash)) {
      throw new Problem({
        status: 409,
        code: 'idempotency_conflict',
        detail: 'This Idempotency-Key was used for another request. Choose a new one.',
      });
    }
    // What the envelope opens is what `run` sealed for this very key and operation.
    return JSON.parse(this.envelope.open(kept.sealed_answer, contextOf(id)).reveal()) as Answer;
  }
}

type KeyId = readonly [tenantId: string, subject: string, operation: string, key: string];

const IS_KEY = 'tenant_id = $1 AND subject = $2 AND operation = $3 AND key = $4';

function contextOf(id: KeyId): SealContext {
  return ['identity.idempotency_keys', ...id];
}

/** Waits for whoever is taking the same key at this moment. */
async function takeKey(manager: EntityManager, id: KeyId, hash: Buffer): Promise<boolean> {
  const taken = await manager.query<unknown[]>(
    `INSERT INTO identity.idempotency_keys (tenant_id, subject, operation, key, body_hash)
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING key`,
    [...id, hash],
  );
  return taken.length > 0;
}
