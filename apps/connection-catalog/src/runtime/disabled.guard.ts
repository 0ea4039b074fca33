import {
  type CanActivate,
  type ExecutionContext,
  Injectable,
  NotFoundException,
} from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

/** What partners reach here. */
const PARTNER_ROUTES = /^\/+api\//;

/** Answers as if there were no such routes, before anybody is asked who they are. */
@Injectable()
export class DisabledGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { routeOptions } = context.switchToHttp().getRequest<FastifyRequest>();
    if (PARTNER_ROUTES.test(routeOptions.url ?? '')) {
      throw new NotFoundException();
    }
    return true;
  }
}
