/*
 * Step-up (RFC 9470): what is worth most is opened only to somebody who has just proved who they are.
 *
 * The token itself says when and how: `auth_time` and `amr`. A refreshed token keeps both, so that
 * keeping a browser open proves nothing. Programs have no second factor; what they may do is what
 * their scopes say.
 */
import {
  applyDecorators,
  type CanActivate,
  type ExecutionContext,
  Injectable,
  UseGuards,
} from '@nestjs/common';
import type { Principal } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import type { AuthenticatedRequest } from './authentication.guard.ts';

/** How a sign-in was proved: the values of the claim `acr`, the weakest first. */
export const ACR = {
  oneFactor: 'urn:soma:acr:one-factor',
  twoFactors: 'urn:soma:acr:two-factors',
  /** The second factor is a passkey, whose answer is worth nothing to a look-alike page. */
  passkey: 'urn:soma:acr:passkey',
} as const;

/** How long a proof counts as fresh. */
export const FRESH_FOR_SECONDS = 300;

/** RFC 8176: more than one factor. */
const SEVERAL_FACTORS = 'mfa';

/** @throws {@link Problem} 401 `step_up_required` for a person without a fresh second factor */
export function demandSecondFactor(principal: Principal, nowMs = Date.now()): void {
  if (!isPerson(principal)) {
    return;
  }
  const hasSecondFactor = principal.authentication_methods?.includes(SEVERAL_FACTORS) === true;
  if (!hasSecondFactor || !isFresh(principal, nowMs)) {
    throw stepUpRequired(ACR.twoFactors, 'Prove your second factor again, then repeat this.');
  }
}

/** @throws {@link Problem} 401 `step_up_required` for a person who signed in a while ago */
export function demandFreshSignIn(principal: Principal, nowMs = Date.now()): void {
  if (isPerson(principal) && !isFresh(principal, nowMs)) {
    throw stepUpRequired(ACR.oneFactor, 'Sign in again, then repeat this.');
  }
}

/** Whether a principal is somebody who can be asked for a factor. */
function isPerson({ role, authentication_methods }: Principal): boolean {
  return role !== undefined || authentication_methods !== undefined;
}

function isFresh({ authenticated_at = 0 }: Principal, nowMs: number): boolean {
  return nowMs / 1000 - authenticated_at <= FRESH_FOR_SECONDS;
}

function stepUpRequired(acr: string, detail: string): Problem {
  const challenge = {
    error: 'insufficient_user_authentication',
    error_description: detail,
    acr_values: acr,
    max_age: String(FRESH_FOR_SECONDS),
  };
  const parameters = Object.entries(challenge).map(([name, value]) => `${name}="${value}"`);
  return new Problem({
    status: 401,
    code: 'step_up_required',
    detail,
    headers: { 'www-authenticate': `Bearer ${parameters.join(', ')}` },
  });
}

@Injectable()
class StepUpGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { principal } = context.switchToHttp().getRequest<AuthenticatedRequest>();
    if (principal === undefined) {
      throw new Error('The route has no principal: a public route cannot demand a step-up.');
    }
    demandSecondFactor(principal);
    return true;
  }
}

/** Opens a route, or every route of a controller, only to who has just proved a second factor. */
export const StepUp = (): ClassDecorator & MethodDecorator =>
  applyDecorators(UseGuards(StepUpGuard));
