import { Injectable } from '@nestjs/common';
import { sendPage } from '@soma/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { auditOrigin } from '../audit/audit-origin.ts';
import { Interactions } from '../oauth/interactions.ts';
import { FinishSignIn } from './finish-sign-in.ts';
import { pageOf } from './pages/sign-in-pages.ts';
import { IdentityProviders } from './providers/identity-providers.ts';
import { SignInSteps } from './sign-in-steps.ts';

/** Shows what a sign-in needs next, or ends it when it needs nothing more. */
@Injectable()
export class ShowSignIn {
  constructor(
    private readonly interactions: Interactions,
    private readonly steps: SignInSteps,
    private readonly finish: FinishSignIn,
    private readonly providers: IdentityProviders,
  ) {}

  async execute(
    request: FastifyRequest,
    reply: FastifyReply,
    notice: string | undefined,
  ): Promise<void> {
    const visit = await this.interactions.find(request, reply);
    const { uid, returnTo } = visit;
    if (returnTo !== undefined) {
      await this.interactions.goOn(reply, returnTo);
      return;
    }
    const step = await this.steps.next(visit);
    if (step.kind === 'tenant_chosen') {
      await this.interactions.choose(request, reply, step.tenantId);
    } else if (step.kind !== 'done') {
      const formTarget = originOf(visit.redirectUri);
      const context = { interaction: uid, providers: this.providers.all(), notice, formTarget };
      await sendPage(reply, pageOf(step, context));
    } else if (await this.finish.execute(uid, step, auditOrigin(request))) {
      await this.interactions.finish(request, reply, step);
    } else {
      await this.execute(request, reply, notice);
    }
  }
}

/** Of the client's own registered address. */
function originOf(redirectUri: string | undefined): string | undefined {
  return redirectUri === undefined ? undefined : new URL(redirectUri).origin;
}
