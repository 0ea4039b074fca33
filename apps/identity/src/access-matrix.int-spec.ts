import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DeclaredRoute } from '@soma/auth';
import { accessScope, memberRole, roleScopes } from '@soma/contracts';
import { installedTool, startAccessServers } from '@soma/testing';
import { identityRoutes } from './openapi.ts';
import {
  createIdentityServers,
  startIdentity,
  type TestCaller,
  type TestIdentity,
} from './spec-support.ts';

type GuardedRoute = DeclaredRoute & { kind: 'access' };

/** One of each role and a service, in both tenants. Their tokens have every scope. */
const CALLERS: TestCaller[] = ['acme', 'globex'].flatMap((tenant) => [
  ...memberRole.options.map((role) => ({ tenant, role, subject: randomUUID() })),
  { tenant, subject: 'agent', scopes: accessScope.options },
]);

const routes = (await identityRoutes()).filter(
  (route): route is GuardedRoute => route.kind === 'access',
);
const describeMatrix = installedTool('opa') && installedTool('openfga') ? describe : describe.skip;

describeMatrix('who may do what with identity', () => {
  const running = new AsyncDisposableStack();
  let identity: TestIdentity;

  beforeAll(async () => {
    const [servers, access] = await Promise.all([
      createIdentityServers(running),
      startAccessServers(running),
    ]);
    await access.relate(
      ...CALLERS.flatMap(({ tenant, subject = '', role }) =>
        role === undefined
          ? []
          : [{ user: `user:${subject}`, relation: role, object: `tenant:${tenant}` }],
      ),
    );
    for (const { subject = '', role } of CALLERS) {
      if (role === undefined) continue;
      await servers.database.execute(
        `INSERT INTO identity.users (user_id, email, display_name)
         VALUES ('${subject}', '${subject}@example.org', '${role}')`,
      );
    }
    const settings = { ...servers.settings, ...access.settings };
    identity = await startIdentity({ ...servers, settings }, running);
  });

  afterAll(() => running.disposeAsync());

  function pathOf({ path }: GuardedRoute): string {
    return path.replace('{id}', randomUUID());
  }

  it.each(routes)('$method $path', async (route) => {
    for (const caller of CALLERS) {
      const { status, body } = await identity.send(route.method, pathOf(route), { as: caller });
      const isDenied = ['access_denied', 'insufficient_scope'].includes(String(body['code']));

      expect({ caller, isDenied, isBroken: status >= 500 }).toEqual({
        ...{ caller, isDenied: !mayHave(caller, route), isBroken: false },
      });
    }
    expect((await identity.send(route.method, pathOf(route))).status).toBe(401);
  });

  it.each(routes.filter(({ rule }) => rule.scope !== null))(
    'denies those who are nothing to the tenant: $method $path',
    async (route) => {
      const stranger = { tenant: 'acme', role: 'owner', subject: randomUUID() } as const;

      const answer = await identity.send(route.method, pathOf(route), { as: stranger });

      expect(answer).toMatchObject({ status: 403, body: { code: 'access_denied' } });
    },
  );
});

/** By the words of the page, and not by the code that decides. */
function mayHave({ role }: TestCaller, { rule: { scope } }: GuardedRoute): boolean {
  return role === undefined || scope === null || roleScopes[role].includes(scope);
}
