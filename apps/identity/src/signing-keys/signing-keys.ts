import { Inject, Injectable } from '@nestjs/common';
import { newIdentifier } from '@soma/kernel';
import { SweepTransaction, TenantTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { AuditLog } from '../audit/audit-log.ts';
import { OPERATOR_TENANT } from '../tenancy/operator-tenant.ts';
import { KeyBackend, type StoredKey } from './key-backend.ts';
import { isRotationDue, type KeyLifetimes, publishedKeys, signingKey } from './key-schedule.ts';
import type { SigningKey } from './signing-key.ts';

/** Under this token are the {@link KeyLifetimes}. */
export const KEY_LIFETIMES = Symbol('KEY_LIFETIMES');

interface Row extends StoredKey {
  /** Milliseconds since 1970, by the clock of the database. */
  created_at_ms: number;
  signs_from_ms: number;
}

/** All keys at one moment. */
export interface KeysNow {
  keys: SigningKey[];
  /** The time of the database: the one clock that all pods share. */
  nowMs: number;
}

/**
 * The keys that sign access tokens, in `identity.signing_keys`, and the making of new ones.
 *
 * Every pod looks regularly. Whichever finds that a key is due makes it, under a lock, so that pods
 * that find it at once make one.
 */
@Injectable()
export class SigningKeys {
  constructor(
    private readonly sweep: SweepTransaction,
    private readonly tenants: TenantTransaction,
    private readonly auditLog: AuditLog,
    private readonly backend: KeyBackend,
    @Inject(KEY_LIFETIMES) private readonly lifetimes: KeyLifetimes,
    @Inject(OPERATOR_TENANT) private readonly operatorTenant: string,
  ) {}

  /** All keys, after making one if it is time to. */
  async load(): Promise<KeysNow> {
    const stored = await this.sweep.run((manager) => read(manager));
    const current = this.isDue(stored) ? await this.rotate() : stored;
    return { keys: current.rows.map((row) => this.open(row)), nowMs: current.nowMs };
  }

  /** Removes keys whose last tokens have expired: a private key that is not there is not stolen. */
  async removeRetired(): Promise<void> {
    await this.sweep.run(async (manager) => {
      const { rows, nowMs } = await read(manager);
      const scheduled = rows.map(scheduleOf);
      const kept = publishedKeys(scheduled, nowMs, this.lifetimes).map(({ kid }) => kid);
      await manager.query(`DELETE FROM identity.signing_keys WHERE kid <> ALL ($1)`, [kept]);
    });
  }

  private isDue({ rows, nowMs, requestedAtMs }: Stored): boolean {
    return isRotationDue(rows.map(scheduleOf), { nowMs, requestedAtMs }, this.lifetimes);
  }

  private rotate(): Promise<Stored> {
    return this.tenants.run(this.operatorTenant, async (manager) => {
      // Held to the commit, so that two pods never both find that a key is due.
      await manager.query(`SELECT pg_advisory_xact_lock(hashtext('identity.signing_keys'))`);
      const stored = await read(manager);
      if (!this.isDue(stored)) {
        return stored;
      }
      const key = await this.backend.create(newIdentifier());
      // Where no key signs there is nothing to wait for: no token is issued until one does.
      const isNoneSigning = signingKey(stored.rows.map(scheduleOf), stored.nowMs) === undefined;
      const leadMs = isNoneSigning ? 0 : this.lifetimes.publishLeadMs;
      await insert(manager, key, leadMs);
      await this.auditLog.append(manager, {
        tenant_id: this.operatorTenant,
        actor: { subject: requesterOf(stored) ?? 'identity', address: null },
        action: 'signing_key.created',
        target: { type: 'signing_key', id: key.kid },
        outcome: 'success',
        request_id: null,
        details: { signs_after_seconds: leadMs / 1000 },
      });
      return read(manager);
    });
  }

  private open(row: Row): SigningKey {
    return { ...scheduleOf(row), ...this.backend.open(row) };
  }
}

interface Stored {
  rows: Row[];
  nowMs: number;
  /** The last wish for a key, and who has it. */
  requestedAtMs: number | undefined;
  requestedBy: string | null;
}

/** Who asked for a key that no key has answered yet. */
function requesterOf({ rows, requestedAtMs = 0, requestedBy }: Stored): string | null {
  const isAnswered = rows.some(({ created_at_ms }) => created_at_ms >= requestedAtMs);
  return isAnswered ? null : requestedBy;
}

async function read(manager: EntityManager): Promise<Stored> {
  const rows = await manager.query<Row[]>(KEYS);
  const [{ now_ms }] = await manager.query<[{ now_ms: number }]>(NOW);
  const [wish] = await manager.query<{ at_ms: number; requested_by: string | null }[]>(LAST_WISH);
  return {
    rows,
    nowMs: now_ms,
    requestedAtMs: wish?.at_ms,
    requestedBy: wish?.requested_by ?? null,
  };
}

async function insert(manager: EntityManager, key: StoredKey, leadMs: number): Promise<void> {
  await manager.query(
    `INSERT INTO identity.signing_keys
       (kid, public_jwk, sealed_jwk, vault_key, vault_version, created_at, signs_from)
     SELECT $1, $2, $3, $4, $5, moment, moment + make_interval(secs => $6)
       FROM clock_timestamp() AS moment`,
    [key.kid, key.public_jwk, key.sealed_jwk, key.vault_key, key.vault_version, leadMs / 1000],
  );
}

function scheduleOf(row: Row): { kid: string; createdAtMs: number; signsFromMs: number } {
  return { kid: row.kid, createdAtMs: row.created_at_ms, signsFromMs: row.signs_from_ms };
}

const KEYS = `
  SELECT kid, public_jwk, sealed_jwk, vault_key, vault_version,
         (extract(epoch FROM created_at) * 1000)::float8 AS created_at_ms,
         (extract(epoch FROM signs_from) * 1000)::float8 AS signs_from_ms
    FROM identity.signing_keys`;

const NOW = `SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms`;

const LAST_WISH = `
  SELECT (extract(epoch FROM requested_at) * 1000)::float8 AS at_ms, requested_by
    FROM identity.key_rotations ORDER BY requested_at DESC LIMIT 1`;
