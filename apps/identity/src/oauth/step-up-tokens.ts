import { Injectable } from '@nestjs/common';
import { FRESH_FOR_SECONDS } from '@soma/auth';
import type { Principal } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import type Provider from 'oidc-provider';
import type { ResourceServerInstance } from 'oidc-provider';
import { Members } from '../tenancy/members.ts';
import { AuthorizationServer } from './authorization-server.ts';
import { scopesOf } from './person-access.ts';

/** For whom a token was issued, and what has been proved since. */
export interface StepUp {
  principal: Principal;
  /** The client that the person's token was issued to, and its successor is. */
  clientId: string;
  amr: readonly string[];
  acr: string;
}

/** An access token that is good for as long as its proof counts as fresh. */
export interface StepUpToken {
  access_token: string;
  token_type: 'Bearer';
  expires_in: number;
}

/** Issues access tokens that say that a person has proved a second factor just now. */
@Injectable()
export class StepUpTokens {
  constructor(
    private readonly server: AuthorizationServer,
    private readonly members: Members,
  ) {}

  /** @throws {@link Problem} 403 `step_up_elsewhere` for a token that was not issued here */
  async issue(stepUp: StepUp): Promise<StepUpToken> {
    const provider = this.server.current();
    const client = await provider.Client.find(stepUp.clientId);
    const memberships = await this.members.ofUser(stepUp.principal.subject);
    const membership = memberships.find(
      ({ tenant_id }) => tenant_id === stepUp.principal.tenant_id,
    );
    if (client === undefined || membership === undefined) {
      throw new Problem({
        status: 403,
        code: 'step_up_elsewhere',
        detail: 'Your token was not issued here, or you are no member any more. Sign in again.',
      });
    }
    const { role, tenant_id: tenant } = membership;
    const token = new provider.AccessToken({
      client,
      accountId: stepUp.principal.subject,
      gty: 'step_up',
      // It belongs to none: nothing is refreshed with it.
      grantId: '',
      expiresIn: FRESH_FOR_SECONDS,
      resourceServer: gatewayOf(provider),
      // The same scopes, as far as the role still allows them.
      scope: scopesOf(role, stepUp.principal.scopes).join(' '),
      extra: { tenant, role, ...claimsOf(stepUp) },
    });
    const access_token = await token.save();
    return { access_token, token_type: 'Bearer', expires_in: FRESH_FOR_SECONDS };
  }
}

function claimsOf({ principal, amr, acr }: StepUp): Record<string, unknown> {
  const methods = new Set([...(principal.authentication_methods ?? []), ...amr]);
  return { amr: [...methods], acr, auth_time: Math.floor(Date.now() / 1000) };
}

/** Whoever presents a token to identity has one for the gateway, which passes it on. */
function gatewayOf(provider: Provider): ResourceServerInstance {
  return new provider.ResourceServer('urn:soma:gateway', {
    audience: 'gateway',
    scope: '',
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: 'ES256' } },
  });
}
