import type { Principal } from '@soma/contracts';
import { ConfigError, isDevelopment, Problem } from '@soma/kernel';
import type { CatalogConfig } from '../catalog.config.ts';

type OperatorSettings = Pick<
  CatalogConfig,
  'INTEGRATIONS_TUNNEL_OUTSIDE_DEVELOPMENT' | 'IDENTITY_OPERATOR_TENANT'
>;

/**
 * Who may open and close the tunnel: it leads to all tenants, so it is no tenant's own. On a machine
 * of development it is whoever may change connections.
 */
export class OperatorRule {
  readonly #operatorTenant: string;

  /** @throws {@link ConfigError} where a tunnel is not to be had at all */
  constructor(config: OperatorSettings) {
    if (!isDevelopment() && !config.INTEGRATIONS_TUNNEL_OUTSIDE_DEVELOPMENT) {
      throw new ConfigError(
        'INTEGRATIONS_TUNNEL_ENABLED=true opens Soma to the internet. It is accepted only with ' +
          'NODE_ENV=development, or with INTEGRATIONS_TUNNEL_OUTSIDE_DEVELOPMENT=true.',
      );
    }
    this.#operatorTenant = config.IDENTITY_OPERATOR_TENANT;
  }

  /** @throws {@link Problem} 403 `operator_required` */
  assert({ tenant_id }: Principal): void {
    if (!isDevelopment() && tenant_id !== this.#operatorTenant) {
      throw new Problem({
        status: 403,
        code: 'operator_required',
        detail: 'Only the operator of Soma opens and closes tunnels. Ask whoever runs it.',
      });
    }
  }
}
