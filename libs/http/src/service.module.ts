import { type DynamicModule, Global, Module, type Type } from '@nestjs/common';
import { HealthChecks } from './health/health-checks.ts';

/** What every service has besides its own module. */
@Global()
@Module({ providers: [HealthChecks], exports: [HealthChecks] })
class Service {}

/** The whole of a service, from the module that is its own. */
export function serviceModule(own: Type | DynamicModule): DynamicModule {
  return { module: Service, imports: [own] };
}
