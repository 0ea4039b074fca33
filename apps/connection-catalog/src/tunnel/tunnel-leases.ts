import { Injectable } from '@nestjs/common';
import type { TunnelProviderName } from '@soma/contracts';
import type { EntityManager } from 'typeorm';

/** How long a lease holds after its last extension. */
export const LEASE_MS = 15_000;

/** The lease of the one tunnel, while its owner lives. */
export interface TunnelLease {
  provider: TunnelProviderName;
  public_url: string | null;
  started_at: Date;
  stop_requested: boolean;
}

/** Who opens a tunnel by what. */
export interface NewLease {
  owner: string;
  provider: TunnelProviderName;
  startedBy: string;
}

const UNTIL = `clock_timestamp() + interval '${LEASE_MS} milliseconds'`;

/**
 * There is one tunnel over all pods: the row's owner has it. Every write of the owner names it, so an
 * owner whose lease has passed to another changes nothing.
 */
@Injectable()
export class TunnelLeases {
  async find(manager: EntityManager): Promise<TunnelLease | undefined> {
    const [lease] = await manager.query<TunnelLease[]>(
      `SELECT provider, public_url, started_at, stop_requested
         FROM catalog.tunnel_leases WHERE expires_at > clock_timestamp()`,
    );
    return lease;
  }

  /** Asks the owner to close. False where there is none. */
  async requestStop(manager: EntityManager): Promise<boolean> {
    const [, count] = await manager.query<[unknown, number]>(
      `UPDATE catalog.tunnel_leases SET stop_requested = true
        WHERE expires_at > clock_timestamp()`,
    );
    return count > 0;
  }

  /** False where somebody else has the lease. */
  async claim(manager: EntityManager, { owner, provider, startedBy }: NewLease): Promise<boolean> {
    const rows = await manager.query<unknown[]>(
      `INSERT INTO catalog.tunnel_leases AS held (owner, provider, started_by, expires_at)
       VALUES ($1, $2, $3, ${UNTIL})
       ON CONFLICT (only_one) DO UPDATE
          SET owner = excluded.owner, provider = excluded.provider, public_url = NULL,
              started_by = excluded.started_by, started_at = excluded.started_at,
              expires_at = excluded.expires_at, stop_requested = false
        WHERE held.expires_at <= clock_timestamp()
       RETURNING owner`,
      [owner, provider, startedBy],
    );
    return rows.length > 0;
  }

  /** Says where the tunnel is reached. False where the lease is lost. */
  async publish(manager: EntityManager, owner: string, publicUrl: string): Promise<boolean> {
    const [, count] = await manager.query<[unknown, number]>(
      `UPDATE catalog.tunnel_leases SET public_url = $2 WHERE owner = $1`,
      [owner, publicUrl],
    );
    return count > 0;
  }

  /** False where the lease is lost, or its owner is asked to stop. */
  async extend(manager: EntityManager, owner: string): Promise<boolean> {
    const [, count] = await manager.query<[unknown, number]>(
      `UPDATE catalog.tunnel_leases SET expires_at = ${UNTIL}
        WHERE owner = $1 AND NOT stop_requested`,
      [owner],
    );
    return count > 0;
  }

  async release(manager: EntityManager, owner: string): Promise<void> {
    await manager.query(`DELETE FROM catalog.tunnel_leases WHERE owner = $1`, [owner]);
  }
}
