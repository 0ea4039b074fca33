import { Injectable } from '@nestjs/common';
import type { TunnelStatus } from '@soma/contracts';
import { TenantTransaction } from '@soma/persistence';
import { type TunnelLease, TunnelLeases } from './tunnel-leases.ts';

const STOPPED: TunnelStatus = {
  ...{ state: 'stopped', provider: null, public_url: null, started_at: null },
};

/** Whether there is a tunnel, and where it is reached. */
@Injectable()
export class ReadTunnel {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly leases: TunnelLeases,
  ) {}

  async execute(tenantId: string): Promise<TunnelStatus> {
    const lease = await this.transaction.run(tenantId, (manager) => this.leases.find(manager));
    return lease === undefined ? STOPPED : toStatus(lease);
  }
}

function toStatus(lease: TunnelLease): TunnelStatus {
  return {
    state: stateOf(lease),
    provider: lease.provider,
    public_url: lease.public_url,
    started_at: lease.started_at.toISOString(),
  };
}

function stateOf({ stop_requested, public_url }: TunnelLease): TunnelStatus['state'] {
  if (stop_requested) {
    return 'stopping';
  }
  return public_url === null ? 'starting' : 'running';
}
