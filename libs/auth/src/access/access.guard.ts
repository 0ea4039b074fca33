import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { clientIdentifier, type Principal } from '@soma/contracts';
import { AccessControl } from './access-control.ts';
import type { AccessRule } from './access-rule.ts';
import { declarationOf } from './access.decorator.ts';
import { templateOf } from './access-table.ts';

/** The parts of a request that decide, and what was decided. */
export interface GuardedRequest {
  id: string;
  ip: string;
  params: unknown;
  body: unknown;
  principal?: Principal;
  /** Whether what it names was not there, so that it must become the principal's own. */
  beginsOwn?: boolean;
}

/** Lets a request through that the declaration of its route allows. It runs after authentication. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(private readonly access: AccessControl) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const [controller, handler] = [context.getClass(), context.getHandler()];
    const request = context.switchToHttp().getRequest<GuardedRequest>();
    const { principal, id, ip } = request;
    const declaration = declarationOf(controller, handler);
    if (declaration === undefined) {
      throw new Error(`${controller.name}.${handler.name} declares no access.`);
    }
    if (declaration.kind !== 'access' || principal === undefined) {
      return true;
    }
    const { rule } = declaration;
    const { beginsOwn } = await this.access.authorize({
      principal,
      rule,
      // Of the route and not of the address: no way to write a path, and no header, changes it.
      route: templateOf(controller, handler),
      objectId: objectIdOf(rule, request),
      address: ip,
      requestId: id,
    });
    request.beginsOwn = beginsOwn;
    return true;
  }
}

/** What the request is about. A name that nothing can have names nothing. */
function objectIdOf({ id = 'params.id' }: AccessRule, request: GuardedRequest): string | null {
  const [part, name] = id.split('.') as ['params' | 'body', string];
  const named = (request[part] as Record<string, unknown> | null | undefined)?.[name];
  return clientIdentifier.safeParse(named).data ?? null;
}
