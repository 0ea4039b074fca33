import { createHash, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { clientIdentifier, principal, type Principal } from '@soma/contracts';
import { TenantTransaction } from '@soma/persistence';
import { sessionNotFound } from './problems.ts';

const TICKET_SECONDS = 30;
const TICKET_BYTES = 32;

/** Lets a browser, which cannot set headers on a stream, open one: once, within 30 seconds. */
@Injectable()
export class StreamTickets {
  constructor(private readonly transaction: TenantTransaction) {}

  /** @throws {@link Problem} 404 `session_not_found` */
  async issue(
    principal: Principal,
    sessionId: string,
  ): Promise<{ ticket: string; expiresAt: Date }> {
    const tenantId = principal.tenant_id;
    const tenant = Buffer.from(tenantId).toString('base64url');
    const ticket = `${tenant}.${randomBytes(TICKET_BYTES).toString('base64url')}`;
    const [row] = await this.transaction.run(tenantId, (manager) =>
      manager.query<{ expires_at: Date }[]>(
        `INSERT INTO conversation.stream_tickets
           (tenant_id, ticket_hash, session_id, principal, expires_at)
         SELECT tenant_id, $3, session_id, $4,
                clock_timestamp() + make_interval(secs => ${TICKET_SECONDS})
           FROM conversation.sessions
          WHERE tenant_id = $1 AND session_id = $2 AND deleted_at IS NULL
         RETURNING expires_at`,
        [tenantId, sessionId, hashOf(ticket), JSON.stringify(principal)],
      ),
    );
    if (row === undefined) {
      throw sessionNotFound(sessionId);
    }
    return { ticket, expiresAt: row.expires_at };
  }

  /** Uses a ticket up. Null where it is unknown, used, expired or another session's. */
  async take(ticket: string, sessionId: string): Promise<Principal | null> {
    // The tenant in it says only where to look. With another one its hash is found nowhere.
    const tenant = Buffer.from(ticket.split('.')[0] ?? '', 'base64url').toString();
    if (!clientIdentifier.safeParse(tenant).success) {
      return null;
    }
    const [[row]] = await this.transaction.run(tenant, (manager) =>
      manager.query<[{ principal: unknown }[], number]>(
        `DELETE FROM conversation.stream_tickets
          WHERE tenant_id = $1 AND ticket_hash = $2 AND session_id = $3
            AND expires_at > clock_timestamp()
          RETURNING principal`,
        [tenant, hashOf(ticket), sessionId],
      ),
    );
    return row === undefined ? null : principal.parse(row.principal);
  }
}

function hashOf(ticket: string): string {
  return createHash('sha256').update(ticket).digest('hex');
}
