import type { AccessResource, Principal } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { z } from 'zod';
import { DecisionCache } from './decision-cache.ts';
import { JsonPoster } from './json-poster.ts';

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
  private readonly agent: JsonPoster;
  private readonly baseUrl: string;

  /** @param url - As in `OPA_URL`. */
  constructor(url: string) {
    this.baseUrl = url.replace(/\/$/, '');
    this.agent = new JsonPoster(new URL(url));
  }

  /** @throws {@link Problem} 502 `policy_unavailable` */
  decide(question: PolicyQuestion): Promise<PolicyAnswer> {
    const asked = inputOf(question);
    return this.answers.get(JSON.stringify(asked), () =>
      // Not a part of what is compared: no answer is used for longer than a second.
      this.ask({ ...asked, time: new Date().toISOString() }),
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
      const { result, decision_id } = decision.parse(
        await this.agent.post(DECISION, body, TIMEOUT_MS),
      );
      if (result) {
        return { isAllowed: true };
      }
      const rules = await this.reasonsFor(body);
      return { isAllowed: false, rules, decisionId: decision_id };
    } catch (cause) {
      throw policyUnavailable(cause);
    }
  }

  /** Only for the log: that it is denied is certain already. */
  private async reasonsFor(body: string): Promise<string[]> {
    const answer = await this.agent.post(REASONS, body, TIMEOUT_MS).catch(() => undefined);
    return reasons.safeParse(answer).data?.result ?? [];
  }
}

function inputOf({ principal, ...request }: PolicyQuestion): object {
  const { subject, tenant_id, scopes, role = null } = principal;
  const { authentication_methods = [], authenticated_at = null } = principal;
  return {
    ...request,
    principal: { subject, tenant_id, role, scopes, authentication_methods, authenticated_at },
    tenant: tenant_id,
  };
}

function policyUnavailable(cause: unknown): Problem {
  return new Problem({
    status: 502,
    code: 'policy_unavailable',
    detail: 'Whether this is allowed cannot be decided at the moment. Try again in a few seconds.',
    cause,
  });
}
