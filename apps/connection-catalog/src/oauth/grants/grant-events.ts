import { Injectable, Logger } from '@nestjs/common';
import type { AuditReport } from '@soma/contracts';
import { AuditOutbox, ConfigUpdates } from '@soma/messaging';
import type { EntityManager } from 'typeorm';
import type { OAuthConnection } from '../connections/oauth-connections.ts';
import type { GrantState, GrantStatus } from './grant-lifecycle.ts';
import { renewals } from './grant-metrics.ts';
import type { GivenGrant } from './store-grant.ts';
import type { RenewedGrant } from './store-renewals.ts';

/** Who is behind what Soma does by itself. */
const ITSELF = { subject: 'connection-catalog', address: null };

/** What the audit log calls it when a grant comes to stand so. */
const ACTIONS: Record<GrantStatus, string> = {
  active: 'connection.token_recovered',
  expired: 'connection.token_expired',
  revoked: 'connection.authorization_revoked',
  reauthorization_required: 'connection.reauthorization_required',
};

/**
 * Tells the rest of Soma, and the audit log, what becomes of grants, in the transactions in which it
 * becomes so.
 */
@Injectable()
export class GrantEvents {
  private readonly logger = new Logger(GrantEvents.name);

  constructor(
    private readonly updates: ConfigUpdates,
    private readonly audit: AuditOutbox,
  ) {}

  /** Whoever holds a copy of a token lets go of it. */
  async announce(manager: EntityManager, connections: readonly OAuthConnection[]): Promise<void> {
    const changes = connections.map(({ tenant_id, name }) => ({
      ...{ tenant_id, entity: 'connection' as const, id: `${tenant_id}:${name}` },
      // Raised above the last one.
      ...{ version: 0, deleted: false },
    }));
    await this.updates.append(manager, ...changes);
  }

  /** A grant that somebody gave. */
  async authorized(
    manager: EntityManager,
    { connection, grantType, authorizedBy }: GivenGrant,
  ): Promise<void> {
    const by = { subject: authorizedBy, details: { grant_type: grantType } };
    await this.audit.append(manager, toReport(connection, 'connection.authorized', by));
  }

  /** A grant that somebody took back, or that a change of its connection ended. */
  async ended(
    manager: EntityManager,
    connection: OAuthConnection,
    by: { subject: string; state: Pick<GrantState, 'status' | 'reason'> },
  ): Promise<void> {
    const { status, reason } = by.state;
    const told = { subject: by.subject, details: { reason } };
    await this.audit.append(manager, toReport(connection, ACTIONS[status], told));
  }

  /** What renewals came to that counted. */
  async renewed(manager: EntityManager, counted: readonly RenewedGrant[]): Promise<void> {
    const reports = counted
      .filter(hasChanged)
      .map(({ connection, next: { status, reason } }) =>
        toReport(connection, ACTIONS[status], { details: { reason } }),
      );
    await this.audit.append(manager, ...reports);
  }

  /** After the change: counts and logs what a renewal came to. */
  note(renewed: RenewedGrant, hasCounted: boolean): void {
    const { next, connection, renewal } = renewed;
    renewals.inc({ outcome: hasCounted ? (renewal?.kind ?? 'over') : 'overtaken' });
    if (!hasCounted || !hasChanged(renewed)) {
      return;
    }
    const { name } = connection;
    this.logger.log({
      message: 'A grant changed.',
      name,
      status: next.status,
      reason: next.reason,
    });
  }
}

/** Whether it stands otherwise than before. */
export function hasChanged({ held, next }: RenewedGrant): boolean {
  return held.state.status !== next.status;
}

function toReport(
  { tenant_id, name }: OAuthConnection,
  action: string,
  { subject, details }: { subject?: string; details: AuditReport['details'] },
): AuditReport {
  return {
    ...{ tenant_id, action, details, request_id: null },
    actor: subject === undefined ? ITSELF : { subject, address: null },
    target: { type: 'connection', id: name },
    outcome: action === ACTIONS.reauthorization_required ? 'failure' : 'success',
  };
}
