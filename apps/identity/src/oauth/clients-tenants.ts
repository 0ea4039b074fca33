import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { TenantTransaction } from '@soma/persistence';
import { CLIENTS } from './oauth-options.ts';
import type { RegisteredClients } from './registered-clients.ts';
import { Tenants } from '../tenancy/tenants.ts';

/** Registers the tenants that the clients file names: an operator has written them down. */
@Injectable()
export class ClientsTenants implements OnApplicationBootstrap {
  constructor(
    @Inject(CLIENTS) private readonly clients: RegisteredClients,
    private readonly transaction: TenantTransaction,
    private readonly tenants: Tenants,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const owned = [...this.clients.values()].filter((client) => 'tenant_id' in client);
    for (const tenant_id of new Set(owned.map((client) => client.tenant_id))) {
      await this.transaction.run(tenant_id, (manager) =>
        this.tenants.create(manager, { tenant_id, name: tenant_id }),
      );
    }
  }
}
