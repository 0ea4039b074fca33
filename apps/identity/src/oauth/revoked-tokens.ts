import { Injectable } from '@nestjs/common';
import { sleep } from '@soma/kernel';
import { SweepTransaction } from '@soma/persistence';

/** What is known of a person's tokens that were revoked. */
@Injectable()
export class RevokedTokens {
  constructor(private readonly sweep: SweepTransaction) {}

  /**
   * Waits until a token that is made now is not among the revoked ones.
   *
   * Tokens say when they were made in whole seconds, and revoking voids all that were made up to a
   * second: who signs in again at once would get a void one.
   */
  async passed(tenantId: string, subject: string): Promise<void> {
    const validFromMs = ((await this.upTo(tenantId, subject)) + 1) * 1000;
    // A timer may fire a moment before the clock says so.
    while (Date.now() < validFromMs) {
      await sleep(validFromMs - Date.now());
    }
  }

  /** The second since 1970 up to which a subject's tokens are void; 0 when none is. */
  async upTo(tenantId: string, subject: string): Promise<number> {
    const [update] = await this.sweep.run((manager) =>
      manager.query<{ version: string }[]>(
        `SELECT version FROM identity.config_updates
          WHERE tenant_id = $1 AND entity = 'principal' AND entity_id = $2`,
        [tenantId, `${tenantId}:${subject}`],
      ),
    );
    return Number(update?.version ?? 0);
  }
}
