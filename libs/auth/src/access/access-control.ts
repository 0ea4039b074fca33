import { Inject, Injectable, Logger, Optional } from '@nestjs/common';
import { type Principal, relationOf, roleScopes } from '@soma/contracts';
import { noteSession } from '@soma/http';
import { newIdentifier, type Problem } from '@soma/kernel';
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
import { PolicyClient } from './policy-client.ts';
import { Relationships } from './relationships.ts';

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

/** A thing of a tenant, and whose it is. */
export interface OwnedObject {
  id: string;
  owner: string;
}

/**
 * Decides whether a request may go on: by the scope and the role that the route declares, then by
 * the policy, then by what the caller is to the tenant or to the thing that the request names. Each
 * can only narrow what the one before allows.
 *
 * In development the policy and the relationships may be missing. Then whose a thing is decides.
 */
@Injectable()
export class AccessControl {
  private readonly logger = new Logger(AccessControl.name);

  constructor(
    @Inject(PolicyClient) private readonly policy: PolicyClient | null,
    @Inject(Relationships) private readonly relationships: Relationships | null,
    @Optional() @Inject(ACCESS_OBJECTS) private readonly objects?: AccessObjects,
    @Optional() @Inject(DENIAL_REPORTER) private readonly report?: DenialReporter,
  ) {}

  /**
   * Resolves when the request is allowed, with whether what it names is not there yet and must
   * become the caller's own: somebody else may begin it at the same moment.
   *
   * @throws {@link Problem} 403 `insufficient_scope` or `access_denied`; what is answered for a
   *   missing thing where the caller may not know of it; 502 `policy_unavailable` or
   *   `relationships_unavailable`
   */
  async authorize(request: AccessRequest): Promise<{ beginsOwn: boolean }> {
    noteSubject(request);
    this.checkDeclaration(request);
    const object = await this.objectOf(request);
    // At once: each is a way there and back.
    const [, isRelated] = await Promise.all([
      this.checkPolicy(request),
      this.isRelated(request, object),
    ]);
    if (!isRelated) {
      throw this.unrelated(request, object);
    }
    this.noteWrite(request);
    const { principal, rule, objectId } = request;
    // Services share what their tenant has.
    const isPerson = principal.role !== undefined;
    const isMissing = rule.relation !== undefined && objectId !== null && object === null;
    return { beginsOwn: isPerson && isMissing };
  }

  /**
   * Which things of a list the caller may read, in their order.
   *
   * @throws {@link Problem} 502 `relationships_unavailable`
   */
  async mayRead(
    principal: Principal,
    type: AccessRule['resource'],
    objects: readonly OwnedObject[],
  ): Promise<boolean[]> {
    const { relationships } = this;
    if (relationships === null) {
      return objects.map(({ owner }) => isOwn(principal, owner));
    }
    return Promise.all(
      objects.map((object) =>
        relationships.check({ principal, relation: 'reader', object: { type, ...object } }),
      ),
    );
  }

  /** Who changes what people are to a tenant sees the change in what they ask next. */
  private noteWrite({ principal, rule, route }: AccessRequest): void {
    const changesRoles = rule.resource === 'member' || rule.resource === 'tenant';
    if (changesRoles && route.method !== 'GET') {
      this.relationships?.noteChange(principal);
    }
  }

  private checkDeclaration(request: AccessRequest): void {
    const { principal, rule } = request;
    if (rule.scope !== null && !principal.scopes.includes(rule.scope)) {
      throw insufficientScope(rule.scope, this.deny(request, 'scope_missing'));
    }
    if (!isScopeOfRole(principal, rule)) {
      throw accessDenied(this.deny(request, 'role_forbids'));
    }
  }

  private async checkPolicy(request: AccessRequest): Promise<void> {
    const { principal, rule, route, objectId, address } = request;
    const answer = await this.policy?.decide({
      ...route,
      principal,
      resource: { type: rule.resource, id: objectId },
      source: { address },
    });
    if (answer?.isAllowed === false) {
      const rules = answer.rules.length > 0 ? answer.rules.join(',') : 'no_reason_given';
      throw accessDenied(this.deny(request, `policy:${rules}`, answer.decisionId));
    }
  }

  /** What the rule asks a relation to, with its owner; null where there is none. */
  private async objectOf(request: AccessRequest): Promise<OwnedObject | null> {
    const { principal, rule, objectId } = request;
    // What a service is to a thing it is to the thing's tenant, whoever's it is; that there is no such
    // thing its handler says. A name that nothing can have is refused where the request is validated.
    if (rule.relation === undefined || objectId === null || principal.role === undefined) {
      return null;
    }
    const owner = await this.known.ownerOf(rule.resource, principal.tenant_id, objectId);
    if (owner === null && rule.mayBeNew !== true) {
      throw this.known.notFound(rule.resource, objectId);
    }
    return owner === null ? null : { id: objectId, owner };
  }

  private async isRelated(request: AccessRequest, object: OwnedObject | null): Promise<boolean> {
    const { principal, rule } = request;
    if (this.relationships === null) {
      return object === null || isOwn(principal, object.owner);
    }
    if (object !== null && rule.relation !== undefined) {
      const { relation, resource: type } = rule;
      return this.relationships.check({ principal, relation, object: { type, ...object } });
    }
    return (
      rule.scope === null ||
      this.relationships.check({ principal, relation: relationOf(rule.scope), object: null })
    );
  }

  private unrelated(request: AccessRequest, object: OwnedObject | null): Problem {
    const { rule } = request;
    if (object === null) {
      return accessDenied(this.deny(request, 'relation:tenant'));
    }
    this.deny(request, `relation:${rule.relation ?? 'reader'}`);
    // No word of the decision: it would tell that there is such a thing.
    return this.known.notFound(rule.resource, object.id);
  }

  private get known(): AccessObjects {
    if (this.objects === undefined) {
      throw new Error('A rule names a relation: provide ACCESS_OBJECTS in a global module.');
    }
    return this.objects;
  }

  /** Tells of a denial and answers its id. */
  private deny(request: AccessRequest, rule: string, decisionId = newIdentifier()): string {
    const { principal, route, objectId, address, requestId } = request;
    const denial: Denial = {
      decisionId,
      rule,
      principal,
      ...route,
      resource: { type: request.rule.resource, id: objectId },
      address,
      requestId,
    };
    this.logger.warn({
      message: 'Access was denied.',
      decision_id: decisionId,
      rule,
      subject: principal.subject,
      tenant_id: principal.tenant_id,
      ...route,
      resource: denial.resource,
      address,
      request_id: requestId,
    });
    this.report?.(denial);
    return decisionId;
  }
}

/** By a session's id all lines about it are found, whatever the route that names it. */
function noteSubject({ rule, objectId }: AccessRequest): void {
  if (rule.resource === 'session' && objectId !== null) {
    noteSession(objectId);
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
