import { Injectable } from '@nestjs/common';
import { HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import type { Principal } from '@soma/contracts';
import { addressOf, handlersOf, noteTenant } from '@soma/http';
import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  HookHandlerDoneFunction,
  RouteOptions,
} from 'fastify';
import { ruleOf } from './access/access.decorator.ts';
import type { AuthenticatedRequest } from './authentication.guard.ts';
import { Authenticator } from './authenticator.ts';
import { isAdministration } from './limits/admin-address.guard.ts';
import { PUBLIC } from './public.decorator.ts';
import { invalidToken } from './unauthenticated.ts';

/** The one answer to every bad token, made once: a flood of them costs little more than reading it. */
const REFUSAL = invalidToken();
const HEADERS = { ...REFUSAL.headers, 'content-type': 'application/problem+json; charset=utf-8' };
const BODY = JSON.stringify(REFUSAL);

/**
 * Asks who sends a request before its body is read and before Nest looks at it.
 *
 * It guards nothing: a request that does not come by here is stopped by `AuthenticationGuard`. Routes
 * of the administration are left to that, because they may have to look as if there were none.
 */
@Injectable()
export class AuthenticationHook {
  #guarded: ReadonlySet<string> | undefined;

  constructor(
    { httpAdapter }: HttpAdapterHost,
    private readonly modules: ModulesContainer,
    private readonly authenticator: Authenticator,
  ) {
    const server = httpAdapter.getInstance<FastifyInstance>();
    server.addHook('onRoute', (route) => {
      this.#attachTo(route);
    });
  }

  /** Routes come after every module is there. */
  #attachTo(route: RouteOptions): void {
    this.#guarded ??= guardedRoutes(this.modules);
    if (this.#guarded.has(`${String(route.method)} ${route.url}`)) {
      route.onRequest = [route.onRequest ?? [], this.#ask].flat();
    }
  }

  readonly #ask = (
    request: FastifyRequest & AuthenticatedRequest,
    reply: FastifyReply,
    done: HookHandlerDoneFunction,
  ): void => {
    const known = this.authenticator.recall(request.headers);
    if (known === 'refused') {
      reply.code(REFUSAL.status).headers(HEADERS).send(BODY);
      return;
    }
    const admit = (principal: Principal): void => {
      request.principal = principal;
      noteTenant(principal.tenant_id);
      done();
    };
    if (known !== undefined) {
      request.token = known;
      admit(known.principal);
      return;
    }
    this.authenticator.authenticate(request.headers, request.ip).then(admit, done);
  };
}

/** As Fastify names them. */
function guardedRoutes(modules: ModulesContainer): Set<string> {
  const routes = handlersOf(modules)
    .filter(({ controller, handler }) => {
      const rule = ruleOf(handler);
      const isOpen = [handler, controller].some((target) => Reflect.hasMetadata(PUBLIC, target));
      return rule !== undefined && !isOpen && !isAdministration(rule);
    })
    .map(({ controller, handler }) => addressOf(controller, handler));
  return new Set(routes.map(({ method, path }) => `${method} ${path}`));
}
