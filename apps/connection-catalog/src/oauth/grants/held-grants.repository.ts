/*
 * Which process holds a grant.
 *
 * Three statements carry the promise that a token is renewed once: `claimDue` and `claimOne` take the
 * lease and mark that a refresh token leaves, in one commit before it does; `store` of the repository of
 * grants writes what came of it, if no other token was stored meanwhile.
 */
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { type GrantRow, grantRow, type HeldGrant, LEASE_MS, stateOf } from './grant.ts';

/** A row with the mark that it had before it was claimed. */
interface ClaimedRow {
  sent_before: Date | null;
}

const LEASE_END = `clock_timestamp() + make_interval(secs => ${LEASE_MS / 1000})`;

const CLAIM = `
  UPDATE catalog.oauth_grants AS kept
     SET leased_until = ${LEASE_END},
         attempt = kept.attempt + 1,
         sent_at = coalesce(kept.sent_at, clock_timestamp())`;

/** The queries of leases, each in the transaction it is given. */
@Injectable()
export class HeldGrantsRepository {
  /**
   * Takes grants of all tenants that are to be renewed, and whose providers answer.
   *
   * @param manager - Of a sweep.
   */
  async claimDue(manager: EntityManager, limit: number): Promise<HeldGrant[]> {
    const claimedAt = performance.now();
    const [rows] = await manager.query<[unknown[], number]>(
      `WITH due AS MATERIALIZED (
         SELECT tenant_id, connection_id FROM catalog.oauth_grants AS each
          WHERE due_at <= statement_timestamp()
            AND (leased_until IS NULL OR leased_until < clock_timestamp())
            AND NOT EXISTS (
              SELECT FROM catalog.oauth_pauses AS pause
               WHERE pause.tenant_id = each.tenant_id
                 AND pause.token_endpoint = each.client ->> 'token_endpoint'
                 AND pause.until > clock_timestamp())
          ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)
       ${CLAIM}
         FROM due
        WHERE (kept.tenant_id, kept.connection_id) = (due.tenant_id, due.connection_id)
       RETURNING kept.*, old.sent_at AS sent_before`,
      [limit],
    );
    return rows.map((row) => toHeld(row, claimedAt));
  }

  /** Takes one grant, if nobody holds it and its token is still the one that was seen. */
  async claimOne(
    manager: EntityManager,
    connectionId: string,
    generation: number,
  ): Promise<HeldGrant | undefined> {
    const claimedAt = performance.now();
    const [rows] = await manager.query<[unknown[], number]>(
      `${CLAIM}
        WHERE connection_id = $1 AND generation = $2 AND is_renewable
          AND (leased_until IS NULL OR leased_until < clock_timestamp())
       RETURNING kept.*, old.sent_at AS sent_before`,
      [connectionId, generation],
    );
    return rows.map((row) => toHeld(row, claimedAt))[0];
  }

  /**
   * Has leases of all tenants begin anew, as far as nobody else has taken them. Whoever has locked a
   * row stores something of it.
   *
   * @param manager - Of a sweep.
   */
  async prolong(manager: EntityManager, held: readonly GrantRow[]): Promise<void> {
    await manager.query(
      `WITH free AS MATERIALIZED (
         SELECT each.tenant_id, each.connection_id
           FROM unnest($1::text[], $2::uuid[], $3::integer[])
                  AS held (tenant_id, connection_id, attempt)
           JOIN catalog.oauth_grants AS each
             ON (each.tenant_id, each.connection_id, each.attempt)
              = (held.tenant_id, held.connection_id, held.attempt)
            FOR UPDATE OF each SKIP LOCKED)
       UPDATE catalog.oauth_grants AS kept SET leased_until = ${LEASE_END}
         FROM free
        WHERE (kept.tenant_id, kept.connection_id) = (free.tenant_id, free.connection_id)`,
      [
        held.map(({ tenant_id }) => tenant_id),
        held.map(({ connection_id }) => connection_id),
        held.map(({ attempt }) => attempt),
      ],
    );
  }
}

function toHeld(row: unknown, claimedAt: number): HeldGrant {
  const { sent_before } = row as ClaimedRow;
  const parsed = grantRow.parse(row);
  return { row: parsed, claimedAt, state: { ...stateOf(parsed), sentAt: sent_before } };
}
