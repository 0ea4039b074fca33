import { type DynamicModule, Module, type OnApplicationShutdown } from '@nestjs/common';
import { listSetting } from '@soma/kernel';
import { isAllowable } from './address-rules.ts';
import { Outbound } from './outbound.ts';

/** The settings of every service that calls what tenants name. */
export const outboundSettings = {
  OUTBOUND_ALLOWED_HOSTS: listSetting()
    .refine((hosts) => hosts.every(isAllowable), 'must be host names, addresses or networks')
    .describe(
      'Hosts of the own network that connections of tenants may reach, by commas: names, addresses ' +
        'or networks as 10.1.0.0/16. Without it they reach the public internet alone, by https.',
    ),
};

/** Gives a service the way out. */
@Module({})
export class OutboundModule implements OnApplicationShutdown {
  constructor(private readonly outbound: Outbound) {}

  static configure(config: { OUTBOUND_ALLOWED_HOSTS: readonly string[] }): DynamicModule {
    const outbound = new Outbound({ allowedHosts: config.OUTBOUND_ALLOWED_HOSTS });
    return {
      module: OutboundModule,
      global: true,
      providers: [{ provide: Outbound, useValue: outbound }],
      exports: [Outbound],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.outbound.close();
  }
}
