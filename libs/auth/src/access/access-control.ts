import { Inject, Injectable, Logger, Optional } from '@nestjs/common';
import { type Principal, roleScopes } from '@soma/contracts';
import { newIdentifier } from '@soma/kernel';
import { ACCESS_OBJECTS, type AccessObjects } from './access-objects.ts';
import type { AccessRule } from './access-rule.ts';
import type { RouteTemplate } from './access-table.ts';
import {
  accessDenied,
  type Denial,
  DENIAL_REPORTER,
  type DenialReporter,
  insufficientScope,
} from './denial.ts';

/** One request, and the rule of its route. */
export interface AccessRequest {
  principal: Principal;
  rule: AccessRule;
  route: RouteTemplate;
  /** What the request is about; null where it names nothing, or nothing that could exist. */
  objectId: string | null;
  /** Where it came from. */
  address: string | null;
  requestId: string | null;
}

/**
 * Decides whether a request may go on: first by the scope and the role that the route declares,
 * then by whose the thing is that it names. Each can only narrow what the one before allows.
 */
@Injectable()
export class AccessControl {
  private readonly logger = new Logger(AccessControl.name);

  constructor(
    @Optional() @Inject(ACCESS_OBJECTS) private readonly objects?: AccessObjects,
    @Optional() @Inject(DENIAL_REPORTER) private readonly report?: DenialReporter,
  ) {}

  /**
   * Resolves when the request is allowed, with whether what it names is not there yet and must
   * become the caller's own: somebody else may begin it at the same moment.
   *
   * @throws {@link Problem} 403 `insufficient_scope` or `access_denied`; what is answered for a
   *   missing thing where the caller may not know of it.
   */
  async authorize(request: AccessRequest): Promise<{ beginsOwn: boolean }> {
    const { principal, rule } = request;
    if (rule.scope !== null && !principal.scopes.includes(rule.scope)) {
      throw insufficientScope(rule.scope, this.deny(request, 'scope_missing'));
    }
    if (!isScopeOfRole(principal, rule)) {
      throw accessDenied(this.deny(request, 'role_forbids'));
    }
    return { beginsOwn: rule.relation !== undefined && (await this.isMissing(request)) };
  }

  private async isMissing(request: AccessRequest): Promise<boolean> {
    const { principal, rule, objectId } = request;
    if (objectId === null) {
      // Nothing is named, or what nothing can be called: that, validation refuses.
      return false;
    }
    const owner = await this.known.ownerOf(rule.resource, principal.tenant_id, objectId);
    if (owner === null && rule.mayBeNew === true) {
      // Services share what their tenant has.
      return principal.role !== undefined;
    }
    if (owner === null || !isOwn(principal, owner)) {
      if (owner !== null) this.deny(request, 'not_owner');
      throw this.known.notFound(rule.resource, objectId);
    }
    return false;
  }

  private get known(): AccessObjects {
    if (this.objects === undefined) {
      throw new Error('A rule names a relation: provide ACCESS_OBJECTS in a global module.');
    }
    return this.objects;
  }

  /** Tells of a denial and answers its id. */
  private deny(request: AccessRequest, denyingRule: string): string {
    const { principal, rule, route, objectId, address, requestId } = request;
    const denial: Denial = {
      decisionId: newIdentifier(),
      rule: denyingRule,
      principal,
      ...route,
      resource: { type: rule.resource, id: objectId },
      address,
      requestId,
    };
    this.logger.warn({
      message: 'Access was denied.',
      decision_id: denial.decisionId,
      rule: denyingRule,
      subject: principal.subject,
      tenant_id: principal.tenant_id,
      ...route,
      resource: denial.resource,
      address,
      request_id: requestId,
    });
    this.report?.(denial);
    return denial.decisionId;
  }
}

/** Whether a person's role still allows what the token was issued for. A service has no role. */
function isScopeOfRole({ role }: Principal, { scope }: AccessRule): boolean {
  return role === undefined || scope === null || roleScopes[role].includes(scope);
}

/** What people begin is theirs alone. A service acts for its whole tenant, as its scopes allow. */
function isOwn({ role, subject }: Principal, owner: string): boolean {
  return role === undefined || subject === owner;
}
