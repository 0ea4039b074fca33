import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { AuditReport } from '@soma/contracts';
import { Secret } from '@soma/kernel';
import { ConfigUpdates } from '@soma/messaging';
import { SweepTransaction, TenantTransaction } from '@soma/persistence';
import { Envelope, type SealContext } from '@soma/secrets';
import type { AdapterPayload } from 'oidc-provider';
import { AuditLog } from '../audit/audit-log.ts';
import { voidTokensOf } from '../config-updates/void-tokens.ts';

/** For so long a client that missed the answer to a refresh may ask again. */
const GRACE_SECONDS = 10;
/** A refresh that has not been answered for so long never will be: its process is gone. */
const ABANDONED_AFTER_SECONDS = 2;

interface NewRecord {
  /** What kind of record, as oidc-provider names it. */
  model: string;
  id: string;
  payload: AdapterPayload;
  expiresInS: number;
}

interface Row {
  id_hash: Buffer;
  sealed_payload: string;
  is_consumed: boolean;
}

/** Says whose a family of tokens is; a part of every `Grant` that is stored. */
export interface GrantOwner {
  accountId: string;
  clientId: string;
  tenant_id: string;
}

/** Who did something to a family of tokens, and how. */
export interface Cause {
  reason: 'replayed' | 'returned' | 'signed_out';
  address: string | null;
  request_id: string | null;
}

/**
 * What the authorisation server keeps between requests, in `identity.oidc_records`: sessions,
 * sign-ins under way, codes, grants and refresh tokens.
 *
 * Whoever has the id of a record has what it stands for, so ids are kept as hashes, and payloads,
 * which name them too, are sealed: who reads the table can be nobody by it.
 */
@Injectable()
export class OidcRecords {
  constructor(
    private readonly sweep: SweepTransaction,
    private readonly tenants: TenantTransaction,
    private readonly envelope: Envelope,
    private readonly configUpdates: ConfigUpdates,
    private readonly auditLog: AuditLog,
  ) {}

  /** Writes a record, or its newer state. */
  async save({ model, id, payload, expiresInS }: NewRecord): Promise<void> {
    const idHash = hashOf(id);
    const sealed = this.envelope.seal(
      new Secret(JSON.stringify(payload)),
      contextOf(model, 'payload', idHash),
    );
    const { grantId, uid, userCode } = payload;
    const hashes = [grantId, uid, userCode].map((value) => (value ? hashOf(value) : null));
    await this.query(UPSERT, [model, idHash, sealed, ...hashes, expiresInS]);
  }

  find(model: string, id: string): Promise<AdapterPayload | undefined> {
    return this.findBy('id_hash', model, id);
  }

  findByUid(model: string, uid: string): Promise<AdapterPayload | undefined> {
    return this.findBy('uid_hash', model, uid);
  }

  findByUserCode(model: string, userCode: string): Promise<AdapterPayload | undefined> {
    return this.findBy('user_code_hash', model, userCode);
  }

  /**
   * Uses up what can be used once. Of any number of processes that try at once one succeeds.
   *
   * A refresh token whose refresh was never answered can be used again: nobody has its successor.
   */
  async consume(model: string, id: string): Promise<boolean> {
    const consumed = await this.query<unknown>(CONSUME, [
      model,
      hashOf(id),
      ABANDONED_AFTER_SECONDS,
    ]);
    return consumed.length > 0;
  }

  async destroy(model: string, id: string): Promise<void> {
    await this.query(`DELETE FROM identity.oidc_records WHERE model = $1 AND id_hash = $2`, [
      model,
      hashOf(id),
    ]);
  }

  /** Keeps what a refresh is about to be answered. */
  async rememberAnswer(model: string, id: string, answer: object): Promise<void> {
    const idHash = hashOf(id);
    const sealed = this.envelope.seal(
      new Secret(JSON.stringify(answer)),
      contextOf(model, 'answer', idHash),
    );
    await this.query(
      `UPDATE identity.oidc_records SET sealed_answer = $3 WHERE model = $1 AND id_hash = $2`,
      [model, idHash, sealed],
    );
  }

  /** What a refresh was answered in the last seconds. */
  async answerOf(model: string, id: string): Promise<object | undefined> {
    const idHash = hashOf(id);
    const [row] = await this.query<{ sealed_answer: string }>(ANSWER, [
      model,
      idHash,
      GRACE_SECONDS,
    ]);
    return row && (this.open(row.sealed_answer, contextOf(model, 'answer', idHash)) as object);
  }

  /** Ends a family of tokens: nothing of it can be refreshed, and its access tokens are void. */
  async revokeGrant(grantId: string, cause: Cause): Promise<void> {
    const grant = await this.find('Grant', grantId);
    if (grant === undefined) {
      return;
    }
    // Every grant is saved with its owner.
    const owner = grant as unknown as GrantOwner;
    await this.tenants.run(owner.tenant_id, async (manager) => {
      const [{ revoked } = { revoked: 0 }] = await manager.query<{ revoked: number }[]>(REVOKE, [
        hashOf(grantId),
      ]);
      // Several requests may end a family at once; the first of them tells.
      if (revoked > 0) {
        await this.configUpdates.append(manager, voidTokensOf(owner.tenant_id, owner.accountId));
        await this.auditLog.append(manager, revocation(owner, cause));
      }
    });
  }

  /** Ends what the browser is remembered by. */
  async endSession(uid: string): Promise<void> {
    await this.query(
      `DELETE FROM identity.oidc_records WHERE model = 'Session' AND uid_hash = $1`,
      [hashOf(uid)],
    );
  }

  /** Removes what has had its time. */
  async removeExpired(): Promise<void> {
    await this.query(`DELETE FROM identity.oidc_records WHERE expires_at < clock_timestamp()`);
  }

  private async findBy(
    column: 'id_hash' | 'uid_hash' | 'user_code_hash',
    model: string,
    value: string,
  ): Promise<AdapterPayload | undefined> {
    const [row] = await this.query<Row>(`${SELECT} AND ${column} = $2`, [
      model,
      hashOf(value),
      GRACE_SECONDS,
    ]);
    if (row === undefined) {
      return undefined;
    }
    // What the envelope opens is what `save` sealed.
    const payload = this.open(
      row.sealed_payload,
      contextOf(model, 'payload', row.id_hash),
    ) as AdapterPayload;
    return row.is_consumed ? { ...payload, consumed: true } : payload;
  }

  private open(sealed: string, context: SealContext): unknown {
    return JSON.parse(this.envelope.open(sealed, context).reveal());
  }

  private query<Result>(sql: string, values: unknown[] = []): Promise<Result[]> {
    return this.sweep.run((manager) => manager.query<Result[]>(sql, values));
  }
}

// Within the grace period a refresh token does not look used: the second try is to be answered as
// the first was, and `consume` decides which of them was first.
const SELECT = `
  SELECT id_hash, sealed_payload,
         consumed_at IS NOT NULL AND (model <> 'RefreshToken' OR sealed_answer IS NOT NULL
           AND consumed_at < clock_timestamp() - make_interval(secs => $3)) AS is_consumed
    FROM identity.oidc_records WHERE model = $1`;

const UPSERT = `
  INSERT INTO identity.oidc_records
    (model, id_hash, sealed_payload, grant_hash, uid_hash, user_code_hash, expires_at)
  VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() + make_interval(secs => $7))
  ON CONFLICT (model, id_hash) DO UPDATE
     SET sealed_payload = excluded.sealed_payload, grant_hash = excluded.grant_hash,
         uid_hash = excluded.uid_hash, user_code_hash = excluded.user_code_hash,
         expires_at = excluded.expires_at`;

const CONSUME = `
  WITH used AS (
    UPDATE identity.oidc_records SET consumed_at = clock_timestamp()
     WHERE model = $1 AND id_hash = $2
       AND (consumed_at IS NULL OR model = 'RefreshToken' AND sealed_answer IS NULL
            AND consumed_at < clock_timestamp() - make_interval(secs => $3))
    RETURNING model)
  SELECT model FROM used`;

const ANSWER = `
  SELECT sealed_answer FROM identity.oidc_records
   WHERE model = $1 AND id_hash = $2 AND sealed_answer IS NOT NULL
     AND consumed_at >= clock_timestamp() - make_interval(secs => $3)`;

const REVOKE = `
  WITH revoked AS (
    DELETE FROM identity.oidc_records
     WHERE grant_hash = $1 OR (model = 'Grant' AND id_hash = $1)
    RETURNING model)
  SELECT count(*)::int AS revoked FROM revoked WHERE model = 'Grant'`;

function revocation(owner: GrantOwner, { reason, address, request_id }: Cause): AuditReport {
  return {
    tenant_id: owner.tenant_id,
    actor: { subject: owner.accountId, address },
    action: 'token.revoked',
    target: { type: 'user', id: owner.accountId },
    outcome: reason === 'replayed' ? 'denied' : 'success',
    request_id,
    details: { reason, client_id: owner.clientId },
  };
}

function hashOf(value: string): Buffer {
  return hash('sha256', value, 'buffer');
}

function contextOf(model: string, part: 'payload' | 'answer', idHash: Buffer): SealContext {
  return ['identity.oidc_records', model, part, idHash.toString('base64url')];
}
