import { Injectable } from '@nestjs/common';
import { SweepTransaction, TenantTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { eraseSession } from './erase-session.ts';
import { RowAnnouncer } from './row-announcer.ts';

const SESSIONS_PER_PASS = 200;

interface RestoredSession {
  tenant_id: string;
  session_id: string;
}

/**
 * The ledger of erased sessions, which knows what to erase again after a backup was restored.
 *
 * It holds ids alone, and is written in the transaction that erases. A backup brings sessions back, or
 * has never known them: either way their tombstone is missing, and is set again, for an id is never
 * used twice.
 */
@Injectable()
export class ErasureLedger {
  constructor(
    private readonly sweep: SweepTransaction,
    private readonly transaction: TenantTransaction,
    private readonly announcer: RowAnnouncer,
  ) {}

  /** Erases again whatever is back. Where nothing is, nothing changes. */
  async applyAgain(): Promise<void> {
    let restored: RestoredSession[];
    do {
      restored = await this.#restored();
      for (const session of restored) {
        await this.#eraseAgain(session);
      }
    } while (restored.length === SESSIONS_PER_PASS);
  }

  #restored(): Promise<RestoredSession[]> {
    return this.sweep.run((manager) =>
      manager.query<RestoredSession[]>(
        `SELECT erased.tenant_id, erased.session_id
           FROM conversation.erased_sessions AS erased
                LEFT JOIN conversation.sessions AS session USING (tenant_id, session_id)
          WHERE session.deleted_at IS NULL
          ORDER BY 1, 2 LIMIT $1`,
        [SESSIONS_PER_PASS],
      ),
    );
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
