import type { AccessResource, Principal } from '@soma/contracts';
import { Problem, withinLimit } from '@soma/kernel';
import { Pool } from 'undici';
import { z } from 'zod';
import { DecisionCache } from './decision-cache.ts';

const TIMEOUT_MS = 250;
const DECISION = '/v1/data/http/authz/allow';
const REASONS = '/v1/data/http/authz/denied_by';

/** `result` is missing where the policy says nothing, which is no answer. */
const decision = z.object({ result: z.boolean(), decision_id: z.string().optional() });
const reasons = z.object({ result: z.array(z.string()) });

/** What a policy is told of a request. */
export interface PolicyQuestion {
  method: string;
  /** The template of the route. */
  path: string;
  principal: Principal;
  resource: { type: AccessResource; id: string | null };
  /** Where the request came from. */
  source: { address: string | null };
}

/** What the policy says. */
export type PolicyAnswer =
  { isAllowed: true } | { isAllowed: false; rules: string[]; decisionId: string | undefined };

/**
 * Asks Open Policy Agent.
 *
 * Whatever is not a clear yes or no, in time, is a failure and never a yes.
 */
export class PolicyClient {
  private readonly answers = new DecisionCache<PolicyAnswer>();
  private readonly pool: Pool;
  private readonly baseUrl: string;
  private readonly basePath: string;

  /** @param url - As in `OPA_URL`. */
  constructor(url: string) {
    const { origin, pathname } = new URL(url);
    this.baseUrl = url.replace(/\/$/, '');
    this.basePath = pathname.replace(/\/$/, '');
    this.pool = new Pool(origin);
  }

  /** @throws {@link Problem} 502 `policy_unavailable` */
  decide(question: PolicyQuestion): Promise<PolicyAnswer> {
    return this.answers.get(keyOf(question), () =>
      // Not a part of what is compared: no answer is used for longer than a second.
      this.ask({ ...inputOf(question), time: new Date().toISOString() }),
    );
  }

  /** Fails when the agent does not answer, or has not loaded its bundles. */
  async check(signal: AbortSignal): Promise<void> {
    const response = await fetch(`${this.baseUrl}/health?bundles`, { signal });
    await response.body?.cancel();
    if (!response.ok) {
      throw new Error(`It answered ${response.status}.`);
    }
  }

  private async ask(input: object): Promise<PolicyAnswer> {
    const body = JSON.stringify({ input });
    try {
      const { result, decision_id } = decision.parse(await this.post(DECISION, body));
      if (result) {
        return { isAllowed: true };
      }
      const rules = await this.reasonsFor(body);
      return { isAllowed: false, rules, decisionId: decision_id };
    } catch (cause) {
      throw policyUnavailable(cause);
    }
  }

  /**
   * Only for the log: that it is denied is certain already. A question of its own, because one that
   * answers both would have the engine look for reasons against all that is allowed too.
   */
  private async reasonsFor(body: string): Promise<string[]> {
    const answer = await this.post(REASONS, body).catch(() => undefined);
    return reasons.safeParse(answer).data?.result ?? [];
  }

  private post(path: string, body: string): Promise<unknown> {
    return withinLimit(TIMEOUT_MS, async (signal) => {
      const answer = await this.pool.request({
        method: 'POST',
        path: `${this.basePath}${path}`,
        headers: { 'content-type': 'application/json' },
        body,
        signal,
      });
      if (answer.statusCode !== 200) {
        await answer.body.dump();
        throw new Error(`It was answered with ${answer.statusCode}.`);
      }
      return answer.body.json();
    });
  }
}

/** The same for every request of a token, which all have the same principal. */
const principalTexts = new WeakMap<Principal, string>();

/** All that the policy is told, except for the time. */
function keyOf({ method, path, principal, resource, source }: PolicyQuestion): string {
  let text = principalTexts.get(principal);
  if (text === undefined) {
    text = JSON.stringify(principalOf(principal));
    principalTexts.set(principal, text);
  }
  return `${JSON.stringify([method, path, resource.type, resource.id, source.address])}${text}`;
}

function principalOf(principal: Principal): object {
  const { subject, tenant_id, scopes, role = null } = principal;
  const { authentication_methods = [], authenticated_at = null } = principal;
  return { subject, tenant_id, role, scopes, authentication_methods, authenticated_at };
}

function inputOf({ principal, ...request }: PolicyQuestion): object {
  return { ...request, principal: principalOf(principal), tenant: principal.tenant_id };
}

function policyUnavailable(cause: unknown): Problem {
  return new Problem({
    status: 502,
    code: 'policy_unavailable',
    detail: 'Whether this is allowed cannot be decided at the moment. Try again in a few seconds.',
    cause,
  });
}
