import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { auditOrigin } from '../audit/audit-origin.decorator.ts';
import { Interactions } from '../oauth/interactions.ts';
import { FinishSignIn } from './finish-sign-in.ts';
import { sendPage } from './pages/page.ts';
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
    const { uid, params } = await this.interactions.find(request, reply);
    const step = await this.steps.next(uid);
    if (step.kind !== 'done') {
      const formTarget = originOf(params['redirect_uri']);
      const context = { interaction: uid, providers: this.providers.all(), notice, formTarget };
      await sendPage(reply, pageOf(step, context));
    } else if (await this.finish.execute(uid, step, auditOrigin(request))) {
      await this.interactions.finish(request, reply, step);
    } else {
      await this.execute(request, reply, notice);
    }
  }
}

/** Of the client's own registered address: oidc-provider has compared it. */
function originOf(redirectUri: unknown): string | undefined {
  return typeof redirectUri === 'string' ? new URL(redirectUri).origin : undefined;
}
