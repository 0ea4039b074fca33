import {
  applyDecorators,
  type CanActivate,
  type ExecutionContext,
  Injectable,
  SetMetadata,
  UseGuards,
} from '@nestjs/common';
import type { Principal } from '@soma/contracts';
import { noteTenant } from '@soma/http';
import type { AuthenticatedRequest } from './authentication.guard.ts';
import { bearerToken } from './bearer-token.ts';
import { PRINCIPAL_HEADER, verifyPrincipal } from './principal-assertion.ts';
import { INTERNAL, Public } from './public.decorator.ts';
import { ServiceVerifier } from './service-verifier.ts';
import { invalidToken, missingCredential } from './unauthenticated.ts';

/** Lets a request through that another service makes, as the principal that the service names. */
@Injectable()
class InternalGuard implements CanActivate {
  constructor(private readonly verifier: ServiceVerifier) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    request.principal = await this.authenticate(request);
    noteTenant(request.principal.tenant_id);
    return true;
  }

  private async authenticate({ headers, ip }: AuthenticatedRequest): Promise<Principal> {
    const { confirmation } = await this.verifier.verify(bearerToken(headers), ip);
    const assertion = headers[PRINCIPAL_HEADER];
    if (typeof assertion !== 'string') {
      throw missingCredential();
    }
    if (confirmation === undefined) {
      throw invalidToken();
    }
    const { audience } = this.verifier;
    return verifyPrincipal(assertion, { audience, thumbprint: confirmation }).catch(
      (error: unknown) => {
        throw invalidToken(error);
      },
    );
  }
}

/** Opens a route, or every route of a controller, to other services alone. */
export const Internal = (): ClassDecorator & MethodDecorator =>
  applyDecorators(Public(), SetMetadata(INTERNAL, true), UseGuards(InternalGuard));
