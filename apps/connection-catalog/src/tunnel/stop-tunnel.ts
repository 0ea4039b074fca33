import { Injectable } from '@nestjs/common';
import type { Caller } from '@soma/auth';
import type { TunnelStatus } from '@soma/contracts';
import { Problem, sleep } from '@soma/kernel';
import { AuditOutbox } from '@soma/messaging';
import { TenantTransaction } from '@soma/persistence';
import { OperatorRule } from './operator-rule.ts';
import { ReadTunnel } from './read-tunnel.ts';
import { LEASE_MS, TunnelLeases } from './tunnel-leases.ts';

const LOOK_MS = 100;

/** Closes the tunnel, whichever pod has it. */
@Injectable()
export class StopTunnel {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly leases: TunnelLeases,
    private readonly operator: OperatorRule,
    private readonly read: ReadTunnel,
    private readonly audit: AuditOutbox,
  ) {}

  /**
   * Resolves when the tunnel is closed. Where there is none, it is closed already.
   *
   * @throws {@link Problem} 403 `operator_required`, 503 `tunnel_stopping`
   */
  async execute({ principal, origin }: Caller): Promise<TunnelStatus> {
    this.operator.assert(principal);
    const { tenant_id } = principal;
    await this.transaction.run(tenant_id, async (manager) => {
      if (await this.leases.requestStop(manager)) {
        await this.audit.append(manager, {
          ...origin,
          tenant_id,
          action: 'tunnel.stopped',
          target: { type: 'tunnel', id: 'tunnel' },
          outcome: 'success',
          details: {},
        });
      }
    });
    return this.stopped(tenant_id);
  }

  /** Its owner closes it at the next beat. Where the owner is dead, its lease ends. */
  private async stopped(tenantId: string): Promise<TunnelStatus> {
    const deadline = performance.now() + 2 * LEASE_MS;
    for (;;) {
      const status = await this.read.execute(tenantId);
      if (status.state !== 'stopping') {
        return status;
      }
      if (performance.now() > deadline) {
        throw new Problem({
          status: 503,
          code: 'tunnel_stopping',
          detail: 'The tunnel is not closed yet. Look again in a moment.',
          retryAfterSeconds: 5,
        });
      }
      await sleep(LOOK_MS);
    }
  }
}
