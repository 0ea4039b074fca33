import { type DynamicModule, Global, Module, type Type } from '@nestjs/common';
import { Exchanges } from './exchanges.ts';
import { HealthChecks } from './health/health-checks.ts';

/** What every service has besides its own module. */
@Global()
@Module({})
class Service {}

/** The whole of a service, from the module that is its own. */
export function serviceModule(own: Type | DynamicModule, exchanges: Exchanges): DynamicModule {
  return {
    module: Service,
    imports: [own],
    providers: [HealthChecks, { provide: Exchanges, useValue: exchanges }],
    exports: [HealthChecks, Exchanges],
  };
}
