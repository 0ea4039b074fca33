import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { CreatedInvitation, Invitation, MemberRole } from '@soma/contracts';
import { newIdentifier, Problem, Secret } from '@soma/kernel';
import { SweepTransaction } from '@soma/persistence';
import { KeyedHash } from '@soma/secrets';
import type { EntityManager } from 'typeorm';

const PURPOSE = 'identity.invitations';
const LIFETIME_MS = 7 * 24 * 60 * 60 * 1000;

/** Whom a new invitation is for. */
export interface NewInvitation {
  /** In lower case. */
  email: string;
  role: MemberRole;
  /** The subject who invites. */
  invited_by: string;
}

interface InvitationRow extends Omit<Invitation, 'created_at' | 'expires_at'> {
  created_at: Date;
  expires_at: Date;
}

const COLUMNS = 'invitation_id, email, role, invited_by, created_at, expires_at';
const IS_OPEN = `
  accepted_at IS NULL AND revoked_at IS NULL AND expires_at > clock_timestamp()`;

/** Who has been asked to become a member. All but {@link tenantOf} take the tenant's transaction. */
@Injectable()
export class Invitations {
  constructor(
    private readonly sweep: SweepTransaction,
    private readonly hashes: KeyedHash,
  ) {}

  /** Invites somebody, in place of whatever invitation is open for the address. */
  async create(
    manager: EntityManager,
    tenantId: string,
    { email, role, invited_by }: NewInvitation,
  ): Promise<CreatedInvitation> {
    await manager.query(
      `UPDATE identity.invitations SET revoked_at = clock_timestamp()
        WHERE tenant_id = $1 AND email = $2 AND ${IS_OPEN}`,
      [tenantId, email],
    );
    const token = new Secret(`inv_${randomBytes(32).toString('base64url')}`);
    const [row] = await manager.query<InvitationRow[]>(
      `INSERT INTO identity.invitations
         (tenant_id, invitation_id, email, role, token_hash, invited_by, expires_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING ${COLUMNS}`,
      [
        tenantId,
        newIdentifier(),
        email,
        role,
        this.hashes.of(token, PURPOSE),
        invited_by,
        new Date(Date.now() + LIFETIME_MS),
      ],
    );
    if (row === undefined) {
      throw new Error('The database gave no row of the invitation.');
    }
    return { ...toInvitation(row), token: token.reveal() };
  }

  /** The open ones, in the order of their making; the cursor is the last id of a page. */
  async list(
    manager: EntityManager,
    tenantId: string,
    { limit, cursor }: { limit: number; cursor?: string | undefined },
  ): Promise<Invitation[]> {
    const rows = await manager.query<InvitationRow[]>(
      `SELECT ${COLUMNS} FROM identity.invitations
        WHERE tenant_id = $1 AND ${IS_OPEN} AND ($2::uuid IS NULL OR invitation_id > $2)
        ORDER BY invitation_id LIMIT $3`,
      [tenantId, cursor, limit],
    );
    return rows.map(toInvitation);
  }

  /** @throws {@link Problem} 404 `invitation_not_found` for one that is not open */
  async revoke(manager: EntityManager, tenantId: string, id: string): Promise<Invitation> {
    const [[row]] = await manager.query<[InvitationRow[], number]>(
      `UPDATE identity.invitations SET revoked_at = clock_timestamp()
        WHERE tenant_id = $1 AND invitation_id = $2 AND ${IS_OPEN} RETURNING ${COLUMNS}`,
      [tenantId, id],
    );
    if (row === undefined) {
      throw invitationNotFound();
    }
    return toInvitation(row);
  }

  /** The open invitation of a person. */
  async find(
    manager: EntityManager,
    tenantId: string,
    { token, email }: { token: Secret; email: string },
  ): Promise<Invitation | undefined> {
    const [row] = await manager.query<InvitationRow[]>(
      `SELECT ${COLUMNS} FROM identity.invitations
        WHERE tenant_id = $1 AND token_hash = $2 AND email = $3 AND ${IS_OPEN}`,
      [tenantId, this.hashes.of(token, PURPOSE), email],
    );
    return row && toInvitation(row);
  }

  /**
   * Uses an invitation up.
   *
   * @param email - The verified address of whoever accepts it: nobody accepts another's.
   * @throws {@link Problem} 404 `invitation_not_found`
   */
  async redeem(
    manager: EntityManager,
    tenantId: string,
    { token, email }: { token: Secret; email: string },
  ): Promise<Invitation> {
    const [[row]] = await manager.query<[InvitationRow[], number]>(
      `UPDATE identity.invitations SET accepted_at = clock_timestamp()
        WHERE tenant_id = $1 AND token_hash = $2 AND email = $3 AND ${IS_OPEN}
        RETURNING ${COLUMNS}`,
      [tenantId, this.hashes.of(token, PURPOSE), email],
    );
    if (row === undefined) {
      throw invitationNotFound();
    }
    return toInvitation(row);
  }

  /**
   * Which tenant a token invites to: the token is a credential, and its row says so.
   *
   * @throws {@link Problem} 404 `invitation_not_found`
   */
  async tenantOf(token: Secret): Promise<string> {
    const [row] = await this.sweep.run((manager) =>
      manager.query<{ tenant_id: string }[]>(
        `SELECT tenant_id FROM identity.invitations WHERE token_hash = $1 AND ${IS_OPEN}`,
        [this.hashes.of(token, PURPOSE)],
      ),
    );
    if (row === undefined) {
      throw invitationNotFound();
    }
    return row.tenant_id;
  }
}

/** One answer for whatever is wrong with an invitation, so that guesses learn nothing. */
function invitationNotFound(): Problem {
  return new Problem({
    status: 404,
    code: 'invitation_not_found',
    detail:
      'There is no such invitation for you: it was used, revoked or replaced, its seven days are ' +
      'over, or it is for another e-mail address. Ask for a new one.',
  });
}

function toInvitation(row: InvitationRow): Invitation {
  return {
    ...row,
    created_at: row.created_at.toISOString(),
    expires_at: row.expires_at.toISOString(),
  };
}
