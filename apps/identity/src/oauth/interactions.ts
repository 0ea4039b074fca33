import { Injectable } from '@nestjs/common';
import { Secret } from '@soma/kernel';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Interaction } from 'oidc-provider';
import { AuthorizationServer } from './authorization-server.ts';
import { isStepUpAlone, leastAcr } from './demanded-acr.ts';
import { TENANT_PROMPT } from './tenant-prompt.ts';

/** How a person has signed in. */
export interface SignIn {
  userId: string;
  /** RFC 8176: the methods, as in `['fed', 'otp', 'mfa']`. */
  amr: string[];
  /** How sure it is that it was them. */
  acr: string;
  /** When they last proved it, in seconds. */
  provedAt: number;
}

/** Whom the browser's session at identity is of, and how they signed in for it. */
type KnownPerson = Omit<SignIn, 'acr'>;

/** What a browser was sent to the pages for: by which request of a client, and what it still lacks. */
export interface Visit {
  uid: string;
  /** `tenant`: who it is is known, and what is open is for which tenant. */
  wants: 'sign_in' | 'stronger_sign_in' | 'tenant';
  /** Whom the browser is known to be of; nobody for `sign_in`. */
  person: KnownPerson | undefined;
  /** The weakest sign-in that satisfies the client, where it asks for more than any. */
  leastAcr: string | undefined;
  /** The token of an invitation that the person follows. */
  invitation: Secret | undefined;
  /** Where the browser goes in the end: the client's own address, which has been compared. */
  redirectUri: string | undefined;
  /** Where the browser goes on once the visit is at its end; it may come back to the page after that. */
  returnTo: string | undefined;
}

/** The sign-ins under way: between the request of a client and its answer. */
@Injectable()
export class Interactions {
  constructor(private readonly server: AuthorizationServer) {}

  /**
   * What a browser is to sign in for.
   *
   * @throws oidc-provider's `SessionNotFound` for a browser that did not come from a request.
   */
  async find(request: FastifyRequest, reply: FastifyReply): Promise<Visit> {
    this.server.pinToIssuer(request);
    return visitOf(await this.server.current().interactionDetails(request.raw, reply.raw));
  }

  /** Goes on with the client's request as the person who has signed in. It answers the browser. */
  async finish(request: FastifyRequest, reply: FastifyReply, signIn: SignIn): Promise<void> {
    const { userId: accountId, amr, acr, provedAt: ts } = signIn;
    await this.end(request, reply, { login: { accountId, amr, acr, ts } });
  }

  /** Goes on for one of the person's tenants. It answers the browser. */
  async choose(request: FastifyRequest, reply: FastifyReply, tenantId: string): Promise<void> {
    await this.end(request, reply, { [TENANT_PROMPT]: { tenant_id: tenantId } });
  }

  /** Goes on with a visit that is at its end. */
  async goOn(reply: FastifyReply, returnTo: string): Promise<void> {
    await reply.status(303).header('cache-control', 'no-store').header('location', returnTo).send();
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
    // With what an earlier page of the same request came to: who has just signed in need not again.
    const returnTo = await provider.interactionResult(request.raw, reply.raw, result);
    await this.goOn(reply, returnTo);
  }
}

function visitOf({ uid, prompt, params, session, result, returnTo }: Interaction): Visit {
  const wants = wantsOf(prompt);
  const { invitation, redirect_uri } = params;
  return {
    uid,
    wants,
    person:
      wants === 'sign_in' || session === undefined
        ? undefined
        : {
            userId: session.accountId,
            amr: session.amr ?? [],
            provedAt: signedInAt(prompt),
          },
    leastAcr: leastAcr(params['acr_values']),
    invitation: typeof invitation === 'string' ? new Secret(invitation) : undefined,
    redirectUri: typeof redirect_uri === 'string' ? redirect_uri : undefined,
    returnTo: result === undefined ? undefined : returnTo,
  };
}

function wantsOf({ name, reasons }: Interaction['prompt']): Visit['wants'] {
  if (name === TENANT_PROMPT) {
    return 'tenant';
  }
  return isStepUpAlone(reasons) ? 'stronger_sign_in' : 'sign_in';
}

/** As `acrCheck` says it; what is not known is long ago. */
function signedInAt({ details }: Interaction['prompt']): number {
  return typeof details['signed_in_at'] === 'number' ? details['signed_in_at'] : 0;
}
