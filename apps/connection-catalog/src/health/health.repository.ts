import { Injectable } from '@nestjs/common';
import type { ConnectionHealth, HealthReason } from '@soma/contracts';
import { newIdentifier } from '@soma/kernel';
import type { EntityManager } from 'typeorm';
import { orNotFound } from '../connections/connections.repository.ts';
import type { CheckOutcome } from './probe-connection.ts';
import type { HealthState } from './health-state.ts';

/** How many checks of a connection are kept. */
const CHECKS_KEPT = 100;

/** A connection whose turn it is. */
export interface DueConnection {
  tenant_id: string;
  connection_id: string;
}

/** What of a row the health of a connection is. */
export interface HealthRow {
  name: string;
  health: ConnectionHealth;
  health_failures: number;
  health_reason: HealthReason | null;
  health_latency_ms: number | null;
  health_checked_at: Date | null;
  health_changed_at: Date | null;
}

/** One check of the past. */
export interface CheckRow {
  checked_at: Date;
  latency_ms: number;
  reason: HealthReason | null;
}

/** A connection as it is when its check begins. */
export interface CheckedRow extends DueConnection {
  name: string;
  type: string;
  version: number;
  /** By the clock of the database, in all its digits. */
  read_at: string;
}

/** How a connection is when a check of it has ended. */
interface CurrentHealth extends HealthState {
  /** Whether another check has ended since this one began. */
  is_newer: boolean;
}

const CHECKED = 'tenant_id, connection_id, name, type, version, clock_timestamp()::text AS read_at';

/** Every query about the health of connections. */
@Injectable()
export class HealthRepository {
  /**
   * Takes connections whose turn it is, for as long as the lease: if this pod does not come to write
   * how they are, another one takes them then.
   *
   * @param manager - Of a sweep. Pods that claim at once pass each other's rows.
   */
  async claim(manager: EntityManager, limit: number, leaseMs: number): Promise<DueConnection[]> {
    const [rows] = await manager.query<[DueConnection[], number]>(
      `UPDATE catalog.connections AS claimed
          SET health_due_at = clock_timestamp() + $2 * interval '1 millisecond'
         FROM (SELECT tenant_id, connection_id FROM catalog.connections
                WHERE health_due_at <= statement_timestamp()
                ORDER BY health_due_at LIMIT $1 FOR UPDATE SKIP LOCKED) AS due
        WHERE claimed.tenant_id = due.tenant_id AND claimed.connection_id = due.connection_id
       RETURNING claimed.tenant_id, claimed.connection_id`,
      [limit, leaseMs],
    );
    return rows;
  }

  /** Undefined where it was deleted. */
  async find(manager: EntityManager, due: DueConnection): Promise<CheckedRow | undefined> {
    const [row] = await manager.query<CheckedRow[]>(
      `SELECT ${CHECKED} FROM catalog.connections WHERE tenant_id = $1 AND connection_id = $2`,
      [due.tenant_id, due.connection_id],
    );
    return row;
  }

  /** @throws {@link Problem} 404 `connection_not_found` */
  async findNamed(manager: EntityManager, tenantId: string, name: string): Promise<CheckedRow> {
    const [row] = await manager.query<CheckedRow[]>(
      `SELECT ${CHECKED} FROM catalog.connections WHERE tenant_id = $1 AND name = $2`,
      [tenantId, name],
    );
    return orNotFound(row, name);
  }

  /** @throws {@link Problem} 404 `connection_not_found` where it was deleted */
  async read(manager: EntityManager, connection: CheckedRow): Promise<HealthRow> {
    const [row] = await manager.query<HealthRow[]>(
      `SELECT name, health, health_failures, health_reason, health_latency_ms, health_checked_at,
              health_changed_at
         FROM catalog.connections WHERE tenant_id = $1 AND connection_id = $2`,
      [connection.tenant_id, connection.connection_id],
    );
    return orNotFound(row, connection.name);
  }

  /**
   * How the connection is, for the transaction that changes it. Undefined where the connection has
   * been changed or deleted since the check began, so that the check says nothing about it.
   */
  async lock(manager: EntityManager, checked: CheckedRow): Promise<CurrentHealth | undefined> {
    const [row] = await manager.query<CurrentHealth[]>(
      `SELECT health, health_failures AS failures,
              coalesce(health_checked_at > $4::timestamptz, false) AS is_newer
         FROM catalog.connections
        WHERE tenant_id = $1 AND connection_id = $2 AND version = $3 FOR UPDATE`,
      [checked.tenant_id, checked.connection_id, checked.version, checked.read_at],
    );
    return row;
  }

  async record(
    manager: EntityManager,
    { tenant_id, connection_id }: DueConnection,
    {
      state,
      outcome,
      nextInMs,
    }: { state: HealthState; outcome: CheckOutcome | undefined; nextInMs: number },
  ): Promise<void> {
    await manager.query(
      `UPDATE catalog.connections
          SET health = $3, health_failures = $4, health_reason = $5, health_latency_ms = $6,
              health_checked_at = clock_timestamp(),
              health_changed_at = CASE WHEN health = $3 THEN health_changed_at
                                       ELSE clock_timestamp() END,
              health_due_at = clock_timestamp() + $7 * interval '1 millisecond'
        WHERE tenant_id = $1 AND connection_id = $2`,
      [
        ...[tenant_id, connection_id, state.health, state.failures],
        ...[outcome?.reason ?? null, outcome?.latencyMs ?? null, nextInMs],
      ],
    );
    if (outcome !== undefined) {
      await this.keep(manager, { tenant_id, connection_id }, outcome);
    }
  }

  /** Newest first. */
  async history(
    manager: EntityManager,
    { tenant_id, connection_id }: DueConnection,
  ): Promise<CheckRow[]> {
    return manager.query<CheckRow[]>(
      `SELECT checked_at, latency_ms, reason FROM catalog.connection_checks
        WHERE tenant_id = $1 AND connection_id = $2 ORDER BY check_id DESC LIMIT $3`,
      [tenant_id, connection_id, CHECKS_KEPT],
    );
  }

  private async keep(
    manager: EntityManager,
    { tenant_id, connection_id }: DueConnection,
    { reason, latencyMs }: CheckOutcome,
  ): Promise<void> {
    await manager.query(
      `INSERT INTO catalog.connection_checks
         (tenant_id, connection_id, check_id, checked_at, latency_ms, reason)
       VALUES ($1, $2, $3, clock_timestamp(), $4, $5)`,
      [tenant_id, connection_id, newIdentifier(), latencyMs, reason],
    );
    await manager.query(
      `DELETE FROM catalog.connection_checks
        WHERE tenant_id = $1 AND connection_id = $2 AND check_id IN (
          SELECT check_id FROM catalog.connection_checks
           WHERE tenant_id = $1 AND connection_id = $2 ORDER BY check_id DESC OFFSET $3)`,
      [tenant_id, connection_id, CHECKS_KEPT],
    );
  }
}
