import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Interaction } from 'oidc-provider';
import { AuthorizationServer } from './authorization-server.ts';

/** How a person has signed in. */
export interface SignIn {
  userId: string;
  /** RFC 8176: the methods, as in `['fed', 'otp']`. */
  amr: string[];
  /** How sure it is that it was them. */
  acr: string;
}

/** The sign-ins under way: between the request of a client and its answer. */
@Injectable()
export class Interactions {
  constructor(private readonly server: AuthorizationServer) {}

  /**
   * What a browser is to sign in for: the client's request in `params`, and in `prompt` why it is
   * asked.
   *
   * @throws oidc-provider's `SessionNotFound` for a browser that did not come from a request.
   */
  find(request: FastifyRequest, reply: FastifyReply): Promise<Interaction> {
    this.server.pinToIssuer(request);
    return this.server.current().interactionDetails(request.raw, reply.raw);
  }

  /** Goes on with the client's request as the person who has signed in. It answers the browser. */
  async finish(request: FastifyRequest, reply: FastifyReply, signIn: SignIn): Promise<void> {
    const { userId: accountId, amr, acr } = signIn;
    await this.end(request, reply, { login: { accountId, amr, acr } });
  }

  /** Sends the browser back to its client without a sign-in. */
  async refuse(request: FastifyRequest, reply: FastifyReply, reason: string): Promise<void> {
    await this.end(request, reply, { error: 'access_denied', error_description: reason });
  }

  private async end(
    request: FastifyRequest,
    reply: FastifyReply,
    result: Parameters<ReturnType<AuthorizationServer['current']>['interactionResult']>[2],
  ): Promise<void> {
    this.server.pinToIssuer(request);
    const provider = this.server.current();
    const returnTo = await provider.interactionResult(request.raw, reply.raw, result, {
      mergeWithLastSubmission: false,
    });
    await reply.status(303).header('cache-control', 'no-store').header('location', returnTo).send();
  }
}
