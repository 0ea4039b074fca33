import { Injectable, Logger } from '@nestjs/common';
import { SweepTransaction, TenantTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { eraseSession } from './erase-session.ts';
import { RowAnnouncer } from './row-announcer.ts';

const SESSIONS_PER_PASS = 200;

interface RestoredSession {
  tenant_id: string;
  session_id: string;
}

/** Before every session. */
const FIRST: RestoredSession = { tenant_id: '', session_id: '' };

/**
 * The ledger of erased sessions, which knows what to erase again after a backup was restored.
 *
 * It holds ids alone, and is written in the transaction that erases. A backup brings sessions back, or
 * has never known them: either way their tombstone is missing, and is set again, for an id is never
 * used twice.
 */
@Injectable()
export class ErasureLedger {
  private readonly logger = new Logger(ErasureLedger.name);

  constructor(
    private readonly sweep: SweepTransaction,
    private readonly transaction: TenantTransaction,
    private readonly announcer: RowAnnouncer,
  ) {}

  /**
   * Erases again whatever is back. Where nothing is, nothing changes.
   *
   * @throws Error once all were tried, when some could not be erased.
   */
  async applyAgain(): Promise<void> {
    let failures = 0;
    let restored = await this.#restoredAfter(FIRST);
    for (let last = restored.at(-1); last !== undefined; last = restored.at(-1)) {
      for (const session of restored) {
        failures += (await this.#isErasedAgain(session)) ? 0 : 1;
      }
      restored = await this.#restoredAfter(last);
    }
    if (failures > 0) {
      throw new Error(`${failures} restored sessions could not be erased again.`);
    }
  }

  #restoredAfter({ tenant_id, session_id }: RestoredSession): Promise<RestoredSession[]> {
    return this.sweep.run((manager) =>
      manager.query<RestoredSession[]>(
        `SELECT erased.tenant_id, erased.session_id
           FROM conversation.erased_sessions AS erased
                LEFT JOIN conversation.sessions AS session USING (tenant_id, session_id)
          WHERE session.deleted_at IS NULL
            AND (erased.tenant_id, erased.session_id) > ($1, $2)
          ORDER BY 1, 2 LIMIT $3`,
        [tenant_id, session_id, SESSIONS_PER_PASS],
      ),
    );
  }

  /** One that cannot be erased keeps none of the others. */
  async #isErasedAgain(session: RestoredSession): Promise<boolean> {
    try {
      await this.#eraseAgain(session);
      return true;
    } catch (error) {
      const message = 'A restored session could not be erased again.';
      this.logger.error({ message, ...session, error });
      return false;
    }
  }

  async #eraseAgain({
    tenant_id: tenantId,
    session_id: sessionId,
  }: RestoredSession): Promise<void> {
    const row = await this.transaction.run(tenantId, async (manager, write) => {
      await ensureSession(manager, tenantId, sessionId);
      return eraseSession(manager, write, { tenantId, sessionId, subject: 'erasure-ledger' });
    });
    // Null where another pod was faster.
    if (row !== null) {
      this.announcer.publish([row]);
    }
  }
}

/** What the backup does not know gets a row too, for its tombstone. Whose it was is not kept. */
async function ensureSession(
  manager: EntityManager,
  tenantId: string,
  sessionId: string,
): Promise<void> {
  await manager.query(
    `INSERT INTO conversation.sessions
            (tenant_id, session_id, last_seq, created_by, created_at, updated_at)
     VALUES ($1, $2, 0, '', clock_timestamp(), clock_timestamp()) ON CONFLICT DO NOTHING`,
    [tenantId, sessionId],
  );
}
