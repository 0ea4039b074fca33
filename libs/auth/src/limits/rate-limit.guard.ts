import {
  type CanActivate,
  type ExecutionContext,
  Injectable,
  Optional,
  SetMetadata,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply } from 'fastify';
import type { GuardedRequest } from '../access/access.guard.ts';
import { checkAllowance, rateLimitHeaders } from './rate-limit-answer.ts';
import { type Allowance, RateLimiter, type RouteClass } from './rate-limiter.ts';

const ROUTE_CLASS = 'soma:route-class';

/** Puts a route, or every route of a controller, under another quota than that of the API. */
export const RateLimited = (routeClass: RouteClass): ClassDecorator & MethodDecorator =>
  SetMetadata(ROUTE_CLASS, routeClass);

/** Counts requests, and refuses those above a quota. It runs once the caller is known. */
@Injectable()
export class RateLimitGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    @Optional() private readonly limiter?: RateLimiter,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const allowance = await this.spend(context);
    if (allowance !== undefined) {
      const reply = context.switchToHttp().getResponse<FastifyReply>();
      reply.headers(rateLimitHeaders(allowance));
    }
    checkAllowance(allowance);
    return true;
  }

  private async spend(context: ExecutionContext): Promise<Allowance | undefined> {
    const { principal, ip } = context.switchToHttp().getRequest<GuardedRequest>();
    const routeClass = this.reflector.getAllAndOverride<RouteClass | undefined>(ROUTE_CLASS, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (routeClass === 'sign_in') {
      return this.limiter?.spendSignIn(principal ?? ip);
    }
    // What is open to everybody, or is passed on to a service that counts itself, has no quota.
    return principal && this.limiter?.spend(principal);
  }
}
