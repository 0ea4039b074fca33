import { Injectable } from '@nestjs/common';
import { TenantTransaction } from '@soma/persistence';
import { OAuthConnections } from './connections/oauth-connections.ts';
import { type FlowRow, FlowsRepository } from './flows/flows.repository.ts';
import type { GrantRow } from './grants/grant.ts';
import { GrantsRepository } from './grants/grants.repository.ts';
import type { OAuthStatus } from './wire.ts';

/** Says where the authorisation of a connection stands. */
@Injectable()
export class ReadStatus {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly connections: OAuthConnections,
    private readonly grants: GrantsRepository,
    private readonly flows: FlowsRepository,
  ) {}

  /** @throws {@link Problem} 404 `connection_not_found` */
  execute(tenantId: string, name: string): Promise<OAuthStatus> {
    return this.transaction.run(tenantId, async (manager) => {
      const connection = await this.connections.findByName(manager, name);
      const grant = await this.grants.find(manager, connection.connection_id);
      const flow = await this.flows.newest(manager, connection.connection_id);
      return { connection_name: name, ...describeGrant(grant), pending: describeFlow(flow) };
    });
  }
}

type DescribedGrant = Omit<OAuthStatus, 'connection_name' | 'pending'>;

const NO_GRANT: DescribedGrant = {
  ...{ status: 'not_authorized', reason: null, grant_type: null, scope: null, refreshable: false },
  ...{ expires_at: null, authorized_by: null, authorized_at: null, refreshed_at: null },
};

function describeGrant(grant: GrantRow | undefined): DescribedGrant {
  if (grant === undefined) {
    return NO_GRANT;
  }
  const { reason, grant_type, scope, is_renewable, authorized_by } = grant;
  return {
    ...{ status: statusOf(grant), reason, grant_type, scope, refreshable: is_renewable },
    ...{ authorized_by, authorized_at: grant.authorized_at.toISOString() },
    expires_at: written(grant.expires_at),
    refreshed_at: written(grant.renewed_at),
  };
}

/** What has expired a moment ago may not have been noticed yet. */
function statusOf({ status, expires_at }: GrantRow): OAuthStatus['status'] {
  const isOver = expires_at !== null && expires_at.getTime() <= Date.now();
  return status === 'active' && isOver ? 'expired' : status;
}

function describeFlow(flow: FlowRow | undefined): OAuthStatus['pending'] {
  if (flow === undefined) {
    return null;
  }
  const { grant_type, expires_at } = flow;
  const error = flow.ended ?? (expires_at.getTime() <= Date.now() ? 'expired' : null);
  return { grant_type, expires_at: expires_at.toISOString(), error };
}

function written(date: Date | null): string | null {
  return date?.toISOString() ?? null;
}
