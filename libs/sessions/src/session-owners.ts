import { Injectable } from '@nestjs/common';
import { TenantTransaction } from '@soma/persistence';
import { LRUCache } from 'lru-cache';

/** About 3 MB. Beyond it the entry goes that was used longest ago; it is read again. */
const CAPACITY = 20_000;

/**
 * Who began which session.
 *
 * A session's owner never changes and its id is never used again, also after a deletion, so what was
 * read once stays true and is kept.
 */
@Injectable()
export class SessionOwners {
  readonly #known = new LRUCache<string, string>({ max: CAPACITY });

  constructor(private readonly transaction: TenantTransaction) {}

  /** The subject that began it; null where there never was such a session. */
  async of(tenantId: string, sessionId: string): Promise<string | null> {
    const key = `${tenantId}:${sessionId}`;
    const known = this.#known.get(key);
    if (known !== undefined) {
      return known;
    }
    const [row] = await this.transaction.run(tenantId, (manager) =>
      manager.query<{ created_by: string }[]>(
        `SELECT created_by FROM conversation.sessions WHERE tenant_id = $1 AND session_id = $2`,
        [tenantId, sessionId],
      ),
    );
    if (row === undefined) {
      return null;
    }
    this.#known.set(key, row.created_by);
    return row.created_by;
  }
}
