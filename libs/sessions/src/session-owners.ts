import { Injectable } from '@nestjs/common';
import { TenantTransaction } from '@soma/persistence';

/** About 3 MB. Beyond it the oldest entry goes; it is read again when it is asked for. */
const CAPACITY = 20_000;

/**
 * Who began which session.
 *
 * A session's owner never changes and its id is never used again, also after a deletion, so what was
 * read once stays true and is kept.
 */
@Injectable()
export class SessionOwners {
  readonly #known = new Map<string, string>();

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
    this.#keep(key, row.created_by);
    return row.created_by;
  }

  #keep(key: string, owner: string): void {
    // A map lists its keys in the order in which they came.
    const [oldest] = this.#known.keys();
    if (this.#known.size >= CAPACITY && oldest !== undefined) {
      this.#known.delete(oldest);
    }
    this.#known.set(key, owner);
  }
}
