import type { Principal } from '@soma/contracts';
import { Problem, Secret } from '@soma/kernel';
import type { EntityManager } from 'typeorm';
import type { TenantTransaction } from '../tenant-transaction.ts';

/** What a write does, as far as a repeat must be the same. */
export interface RepeatableWrite {
  /** Method and path, as in `POST /v1/api-keys`. */
  operation: string;
  /** As it was validated: its fields are then in the order of the schema. */
  body: object;
}

/** Who writes, and the key by which they may repeat it. */
export interface RepeatingCaller {
  principal: Principal;
  idempotencyKey: string | undefined;
}

/** What answers are sealed by, as the envelope of `libs/secrets` does. */
interface AnswerSeal {
  seal: (secret: Secret, context: readonly [string, ...string[]]) => string;
  open: (sealed: string, context: readonly [string, ...string[]]) => Secret;
}

/** What bodies are told apart by, as the keyed hash of `libs/secrets` does: they may hold secrets. */
interface BodyHash {
  of: (secret: Secret, purpose: string) => Buffer;
}

/** What {@link IdempotentWrites} works with. */
export interface IdempotentWritesOptions {
  /** The service's own, which has the table `idempotency_keys`. */
  schema: string;
  transaction: TenantTransaction;
  seal: AnswerSeal;
  bodies: BodyHash;
}

interface Kept {
  body_hash: Buffer;
  sealed_answer: string | null;
}

type KeyId = readonly [tenantId: string, subject: string, operation: string, key: string];

const IS_KEY = 'tenant_id = $1 AND subject = $2 AND operation = $3 AND key = $4';

/**
 * Runs writes in the caller's tenant, each `Idempotency-Key` once (P3).
 *
 * The key is taken in the transaction of the write, so a write that fails gives it back, and a repeat
 * that comes at the same moment waits and then answers what the first did. Answers are sealed: they
 * may show a secret that is shown once.
 */
export class IdempotentWrites {
  readonly #options: IdempotentWritesOptions;
  /** What a sealed answer or a hash is for. */
  readonly #table: string;

  constructor(options: IdempotentWritesOptions) {
    this.#options = options;
    this.#table = `${options.schema}.idempotency_keys`;
  }

  /** @throws {@link Problem} 409 `idempotency_conflict` for a repeat with another body */
  run<Answer extends object>(
    { principal, idempotencyKey: key }: RepeatingCaller,
    { operation, body }: RepeatableWrite,
    work: (manager: EntityManager) => Promise<Answer>,
  ): Promise<Answer> {
    const { transaction, bodies } = this.#options;
    const { tenant_id, subject } = principal;
    if (key === undefined) {
      return transaction.run(tenant_id, work);
    }
    const id = [tenant_id, subject, operation, key] as const;
    return transaction.run(tenant_id, async (manager) => {
      const hash = bodies.of(new Secret(JSON.stringify(body)), this.#table);
      if (!(await this.#takeKey(manager, id, hash))) {
        return this.#answerAgain<Answer>(manager, id, hash);
      }
      const answer = await work(manager);
      await this.#keepAnswer(manager, id, answer);
      return answer;
    });
  }

  /** Waits for whoever is taking the same key at this moment. */
  async #takeKey(manager: EntityManager, id: KeyId, hash: Buffer): Promise<boolean> {
    const taken = await manager.query<unknown[]>(
      `INSERT INTO ${this.#table} (tenant_id, subject, operation, key, body_hash)
       VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING key`,
      [...id, hash],
    );
    return taken.length > 0;
  }

  async #keepAnswer(manager: EntityManager, id: KeyId, answer: object): Promise<void> {
    const { seal } = this.#options;
    const sealed = seal.seal(new Secret(JSON.stringify(answer)), [this.#table, ...id]);
    await manager.query(`UPDATE ${this.#table} SET sealed_answer = $5 WHERE ${IS_KEY}`, [
      ...id,
      sealed,
    ]);
  }

  async #answerAgain<Answer>(manager: EntityManager, id: KeyId, hash: Buffer): Promise<Answer> {
    const [kept] = await manager.query<Kept[]>(
      `SELECT body_hash, sealed_answer FROM ${this.#table} WHERE ${IS_KEY}`,
      [...id],
    );
    if (!kept?.sealed_answer || !kept.body_hash.equals(hash)) {
      throw new Problem({
        status: 409,
        code: 'idempotency_conflict',
        detail: 'This Idempotency-Key was used for another request. Choose a new one.',
      });
    }
    const opened = this.#options.seal.open(kept.sealed_answer, [this.#table, ...id]);
    // What opens is what was sealed for this very key and operation.
    return JSON.parse(opened.reveal()) as Answer;
  }
}
