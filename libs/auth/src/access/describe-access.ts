import type { DynamicModule, Type } from '@nestjs/common';
import { modulesOf } from '@soma/http';
import { type DeclaredRoute, declaredRoutes } from './access-table.ts';

/** Lists a service's routes and who may use them, without starting anything of the service. */
export async function describeAccess(module: Type | DynamicModule): Promise<DeclaredRoute[]> {
  return declaredRoutes(await modulesOf(module));
}
