import type { Principal } from '@soma/contracts';
import { isDevelopment, Problem } from '@soma/kernel';
import type { CatalogConfig } from '../catalog.config.ts';

type OperatorSettings = Pick<CatalogConfig, 'IDENTITY_OPERATOR_TENANT'>;

/**
 * Who may open and close the tunnel: it leads to all tenants, so it is no tenant's own. On a machine
 * of development it is whoever may change connections.
 */
export class OperatorRule {
  readonly #operatorTenant: string;

  constructor(config: OperatorSettings) {
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
