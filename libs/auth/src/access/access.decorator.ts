import { SetMetadata } from '@nestjs/common';
import { INTERNAL, PUBLIC } from '../public.decorator.ts';
import type { AccessRule } from './access-rule.ts';

const ACCESS = 'soma:access';

/** How a route is guarded. */
export type Declaration =
  { kind: 'public' | 'internal' | 'forwarded' } | { kind: 'access'; rule: AccessRule };

/**
 * Says who may use a route: the one declaration by which it is guarded and documented. A service
 * with a route that has none (nor `@Public()`, `@Internal()` or `@Forwarded()`) does not start.
 */
export const Access = (rule: AccessRule): MethodDecorator => SetMetadata(ACCESS, rule);

/** The rule of a route, on the method that serves it. */
export function ruleOf(handler: object): AccessRule | undefined {
  return Reflect.getMetadata(ACCESS, handler) as AccessRule | undefined;
}

/** What a route declares; undefined where it declares nothing. */
export function declarationOf(controller: object, handler: object): Declaration | undefined {
  const rule = ruleOf(handler);
  if (rule !== undefined) {
    return { kind: 'access', rule };
  }
  const targets = [handler, controller];
  if (targets.some((target) => Reflect.getMetadata(INTERNAL, target) === true)) {
    return { kind: 'internal' };
  }
  const open = targets.map((target) => Reflect.getMetadata(PUBLIC, target) as unknown);
  if (open.includes('forwarded')) {
    return { kind: 'forwarded' };
  }
  return open.includes(true) ? { kind: 'public' } : undefined;
}
