import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  type AccessScope,
  accessScope,
  memberRole,
  type MemberRole,
  roleScopes,
} from '@soma/contracts';
import type { DeclaredRoute } from './access-table.ts';
import { personName, type RelationshipTuple, tenantName } from './relationship-names.ts';

type GuardedRoute = DeclaredRoute & { kind: 'access' };

/** A person by role, or a service. Their tokens have every scope. */
export interface MatrixCaller {
  tenant: string;
  subject: string;
  role?: MemberRole;
  scopes: readonly AccessScope[];
}

/** Sends a request as somebody, or as nobody. */
export type SendAs = (
  method: string,
  path: string,
  as: MatrixCaller | null,
) => Promise<{ status: number; body: Record<string, unknown> }>;

/** Whom a service is to know before it is asked. */
export interface MatrixPeople {
  people: readonly (MatrixCaller & { role: MemberRole })[];
  /** Who is what to which tenant. */
  relations: readonly RelationshipTuple[];
}

const scopes = accessScope.options;

/** One of each role, in both tenants. */
const PEOPLE: MatrixPeople['people'] = ['acme', 'globex'].flatMap((tenant) =>
  memberRole.options.map((role) => ({ tenant, role, subject: randomUUID(), scopes })),
);
const CALLERS: MatrixCaller[] = [
  ...PEOPLE,
  ...['acme', 'globex'].map((tenant) => ({ tenant, subject: 'agent', scopes })),
];

/**
 * Each declared route lets in whom its declaration names, and nobody else.
 *
 * @param start - Starts the service with the policy agent and the relationship server.
 */
export function describeAccessMatrix(
  declared: readonly DeclaredRoute[],
  start: (running: AsyncDisposableStack, known: MatrixPeople) => Promise<SendAs>,
): void {
  const running = new AsyncDisposableStack();
  const routes = declared.filter((route): route is GuardedRoute => route.kind === 'access');
  let send: SendAs;

  beforeAll(async () => {
    const relations = PEOPLE.map(({ tenant, subject, role }) => ({
      user: personName(subject),
      relation: role,
      object: tenantName(tenant),
    }));
    send = await start(running, { people: PEOPLE, relations });
  });
  afterAll(() => running.disposeAsync());

  it.each(routes)('$method $path', async (route) => {
    for (const caller of CALLERS) {
      const { status, body } = await send(route.method, pathOf(route), caller);
      const isDenied = ['access_denied', 'insufficient_scope'].includes(String(body['code']));

      expect({ caller, isDenied, isBroken: status >= 500 }).toEqual({
        ...{ caller, isDenied: !mayHave(caller, route), isBroken: false },
      });
    }
    expect((await send(route.method, pathOf(route), null)).status).toBe(401);
  });

  it.each(routes.filter(({ rule }) => rule.scope !== null))(
    'denies those who are nothing to the tenant: $method $path',
    async (route) => {
      const stranger = { tenant: 'acme', role: 'owner', subject: randomUUID(), scopes } as const;

      const answer = await send(route.method, pathOf(route), stranger);

      expect(answer).toMatchObject({ status: 403, body: { code: 'access_denied' } });
    },
  );
}

function pathOf({ path }: GuardedRoute): string {
  return path.replace(/\{\w+\}/g, () => randomUUID());
}

/** By the words of the page, and not by the code that decides. */
function mayHave({ role }: MatrixCaller, { rule: { scope } }: GuardedRoute): boolean {
  return role === undefined || scope === null || roleScopes[role].includes(scope);
}
