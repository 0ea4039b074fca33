import type { AccessResource, Principal } from '@soma/contracts';
import { Problem } from '@soma/kernel';

/** Somebody was refused. */
export interface Denial {
  /** Stands in the answer too, so that whoever asks why can be told. */
  decisionId: string;
  /** What refused, as in `scope_missing` or `policy:role_forbids`. */
  rule: string;
  principal: Principal;
  method: string;
  /** The template of the path. */
  path: string;
  resource: { type: AccessResource; id: string | null };
  /** Where the request came from. */
  address: string | null;
  requestId: string | null;
}

/** Hears of every denial. It must not throw and not wait. */
export type DenialReporter = (denial: Denial) => void;

/** Under this token an app may provide a {@link DenialReporter}. */
export const DENIAL_REPORTER = Symbol('DENIAL_REPORTER');

/** 403: the credential lacks a scope (RFC 6750 §3.1). */
export function insufficientScope(scope: string, decisionId: string): Problem {
  return new Problem({
    status: 403,
    code: 'insufficient_scope',
    detail: `This needs a credential with the scope "${scope}". Ask for one that has it.`,
    headers: { 'www-authenticate': `Bearer error="insufficient_scope", scope="${scope}"` },
    decisionId,
  });
}

/** 403 for every other reason, which the log tells to the people who may know it. */
export function accessDenied(decisionId: string): Problem {
  return new Problem({
    status: 403,
    code: 'access_denied',
    detail: `You may not do this. Ask an administrator of your tenant, and name the decision ${decisionId}.`,
    decisionId,
  });
}
