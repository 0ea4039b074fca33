import { type DynamicModule, Module, type Provider, type Type } from '@nestjs/common';
import { cidrListSetting } from '@soma/http';
import type { z } from 'zod';
import { AdminAddresses } from './admin-address.guard.ts';
import { RateLimiter, rateLimitSettings, type RequestCounter } from './rate-limiter.ts';

/** The settings of {@link LimitsModule}; a service's schema spreads them. */
export const limitSettings = {
  ...rateLimitSettings,
  ADMIN_ALLOWED_CIDRS: cidrListSetting().describe(
    'Networks from which keys, members, tenants and the audit log are reached, by commas. From ' +
      'elsewhere their routes answer 404. Unset: from everywhere.',
  ),
};

type LimitsConfig = z.output<z.ZodObject<typeof limitSettings>>;

/** Holds a service's callers to their quotas, and its administration to its addresses. */
@Module({})
export class LimitsModule {
  /** @param counter - A provider of a global module. */
  static of(config: LimitsConfig, counter: Type<RequestCounter>): DynamicModule {
    const { ADMIN_ALLOWED_CIDRS: cidrs } = config;
    const providers: Provider[] = [
      {
        provide: RateLimiter,
        inject: [counter],
        useFactory: (requests: RequestCounter) => new RateLimiter(config, requests),
      },
      ...(cidrs.length > 0
        ? [{ provide: AdminAddresses, useFactory: () => new AdminAddresses(cidrs) }]
        : []),
    ];
    return {
      module: LimitsModule,
      global: true,
      providers,
      exports: [RateLimiter, ...(cidrs.length > 0 ? [AdminAddresses] : [])],
    };
  }
}
