import { Inject, Injectable } from '@nestjs/common';
import type { Caller } from '@soma/auth';
import type { AuditReport, TunnelProviderName, TunnelStatus } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { AuditOutbox } from '@soma/messaging';
import { TenantTransaction } from '@soma/persistence';
import { OperatorRule } from './operator-rule.ts';
import { ReadTunnel } from './read-tunnel.ts';
import { TunnelOwner } from './tunnel-owner.ts';
import { TUNNEL_PROVIDERS, type TunnelProviders } from './tunnel-providers.ts';

/** Lets the internet reach Soma, as webhooks must while Soma runs on a laptop. */
@Injectable()
export class StartTunnel {
  constructor(
    @Inject(TUNNEL_PROVIDERS) private readonly providers: TunnelProviders,
    private readonly operator: OperatorRule,
    private readonly owner: TunnelOwner,
    private readonly transaction: TenantTransaction,
    private readonly read: ReadTunnel,
    private readonly audit: AuditOutbox,
  ) {}

  /**
   * @throws {@link Problem} 403 `operator_required`, 409 `tunnel_exists`, 422
   *   `tunnel_provider_not_configured`, 502 `tunnel_failed`
   */
  async execute({ principal, origin }: Caller, name: TunnelProviderName): Promise<TunnelStatus> {
    this.operator.assert(principal);
    const provider = this.providers.get(name);
    if (provider === undefined) {
      throw notConfigured(name);
    }
    await this.owner.open(provider, principal.subject);
    await this.record({
      ...origin,
      tenant_id: principal.tenant_id,
      action: 'tunnel.started',
      target: { type: 'tunnel', id: name },
      outcome: 'success',
      details: {},
    });
    return this.read.execute(principal.tenant_id);
  }

  /** A tunnel that the audit log would not tell of does not stay open; it dies with its pod, too. */
  private async record(report: AuditReport): Promise<void> {
    try {
      await this.transaction.run(report.tenant_id, (manager) => this.audit.append(manager, report));
    } catch (error) {
      await this.owner.closeOwn();
      throw error;
    }
  }
}

function notConfigured(name: TunnelProviderName): Problem {
  const settings = {
    ngrok: 'NGROK_AUTHTOKEN',
    cloudflare: 'CLOUDFLARE_TOKEN and CLOUDFLARE_TUNNEL_ID',
  }[name];
  return new Problem({
    status: 422,
    code: 'tunnel_provider_not_configured',
    detail: `Whoever runs Soma must set ${settings} before ${name} can open a tunnel.`,
  });
}
