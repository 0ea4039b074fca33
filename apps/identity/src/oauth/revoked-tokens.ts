import { Injectable } from '@nestjs/common';
import type { AuditReport } from '@soma/contracts';
import { sleep } from '@soma/kernel';
import { ConfigUpdates } from '@soma/messaging';
import { SweepTransaction, TenantTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { AuditLog } from '../audit/audit-log.ts';
import { voidTokensOf } from '../config-updates/void-tokens.ts';

/**
 * So many tokens of one principal are void each by itself. Every process remembers each of them, so
 * whoever gives back more in an hour has all of their tokens void in place of the next.
 */
const MAX_SINGLE = 100;

/** What an access token says of itself, as far as it can be revoked by it. */
export interface TokenIdentity {
  tenant: string;
  sub: string;
  client_id: string;
  jti: string;
  iat: number;
  api_key_id?: string | undefined;
}

/** Access tokens that were taken back. */
@Injectable()
export class RevokedTokens {
  constructor(
    private readonly sweep: SweepTransaction,
    private readonly tenants: TenantTransaction,
    private readonly configUpdates: ConfigUpdates,
    private readonly auditLog: AuditLog,
  ) {}

  /** Voids one token everywhere within a second. Once is enough: a repeat changes nothing. */
  async revoke(
    token: TokenIdentity,
    origin: { address: string | null; request_id: string | null },
  ): Promise<void> {
    if (await this.has(token)) {
      return;
    }
    const { tenant, sub, client_id, jti } = token;
    await this.tenants.run(tenant, async (manager) => {
      await this.tellEveryone(manager, token);
      const line: AuditReport = {
        tenant_id: tenant,
        actor: { subject: sub, address: origin.address },
        action: 'token.revoked',
        target: { type: 'token', id: jti },
        outcome: 'success',
        request_id: origin.request_id,
        details: { reason: 'returned', client_id },
      };
      await this.auditLog.append(manager, line);
    });
  }

  /** Whether a token is void, by itself or with all of its principal or its API key. */
  async has({ tenant, sub, jti, iat, api_key_id = '' }: TokenIdentity): Promise<boolean> {
    const rows = await this.tenants.run(tenant, (manager) =>
      manager.query<unknown[]>(IS_VOID, [
        tenant,
        `${tenant}:${sub}`,
        iat,
        `${tenant}:${sub}:${jti}`,
        `${tenant}:${api_key_id}`,
      ]),
    );
    return rows.length > 0;
  }

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

  /** Forgets single tokens that are long over. */
  async removeOld(): Promise<void> {
    await this.sweep.run((manager) =>
      manager.query(
        // The policy of the role keeps it from all others.
        `DELETE FROM identity.config_updates WHERE entity = 'principal' AND deleted`,
      ),
    );
  }

  private async tellEveryone(
    manager: EntityManager,
    { tenant, sub, jti, iat }: TokenIdentity,
  ): Promise<void> {
    const [{ present } = { present: 0 }] = await manager.query<{ present: number }[]>(
      `SELECT count(*)::int AS present FROM identity.config_updates
        WHERE tenant_id = $1 AND entity = 'principal' AND starts_with(entity_id, $2)`,
      [tenant, `${tenant}:${sub}:`],
    );
    if (present >= MAX_SINGLE) {
      await this.configUpdates.append(manager, voidTokensOf(tenant, sub));
      return;
    }
    await this.configUpdates.append(manager, {
      tenant_id: tenant,
      entity: 'principal',
      id: `${tenant}:${sub}:${jti}`,
      version: iat,
      deleted: true,
    });
  }

  /** The second since 1970 up to which a subject's tokens are void; 0 when none is. */
  private async upTo(tenantId: string, subject: string): Promise<number> {
    const [update] = await this.tenants.run(tenantId, (manager) =>
      manager.query<{ version: string }[]>(
        `SELECT version FROM identity.config_updates
          WHERE tenant_id = $1 AND entity = 'principal' AND entity_id = $2`,
        [tenantId, `${tenantId}:${subject}`],
      ),
    );
    return Number(update?.version ?? 0);
  }
}

const IS_VOID = `
  SELECT FROM identity.config_updates
   WHERE tenant_id = $1
     AND ((entity = 'principal' AND entity_id = $2 AND version >= $3)
       OR (entity = 'principal' AND entity_id = $4)
       OR (entity = 'api_key' AND entity_id = $5 AND deleted AND publish_at <= clock_timestamp()))`;
