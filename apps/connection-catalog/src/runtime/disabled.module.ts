import { type DynamicModule, Module, NotFoundException } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';

/** What partners reach here. */
const PARTNER_ROUTES = /^\/+api\//;

/** Closes the partners' routes where the operator has turned integrations off. */
@Module({})
export class DisabledModule {
  static unless(isEnabled: boolean): DynamicModule {
    return { module: DisabledModule, imports: isEnabled ? [] : [ClosedModule] };
  }
}

/** Answers as if there were no such routes, before anybody is asked who they are. */
@Module({})
class ClosedModule {
  constructor({ httpAdapter }: HttpAdapterHost) {
    // The hooks of the whole server run before those of a route, of which authentication is one.
    httpAdapter.getInstance<FastifyInstance>().addHook('onRequest', (request, _reply, done) => {
      if (PARTNER_ROUTES.test(request.routeOptions.url ?? '')) done(new NotFoundException());
      else done();
    });
  }
}
