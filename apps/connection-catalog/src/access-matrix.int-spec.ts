import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DeclaredRoute } from '@soma/auth';
import { accessScope, memberRole, roleScopes } from '@soma/contracts';
import { installedTool, startAccessServers } from '@soma/testing';
import { catalogRoutes } from './openapi.ts';
import {
  createCatalogServers,
  startCatalog,
  type TestCaller,
  type TestCatalog,
} from './spec-support.ts';

type GuardedRoute = DeclaredRoute & { kind: 'access' };

const ALLOWED = { scopes: accessScope.options };

/** One of each role and a service, in both tenants. Their tokens have every scope. */
const CALLERS: TestCaller[] = ['acme', 'globex'].flatMap((tenant) => [
  ...memberRole.options.map((role) => ({ tenant, role, subject: randomUUID(), ...ALLOWED })),
  { tenant, subject: 'agent', ...ALLOWED },
]);

const routes = (await catalogRoutes()).filter(
  (route): route is GuardedRoute => route.kind === 'access',
);
const describeMatrix = installedTool('opa') && installedTool('openfga') ? describe : describe.skip;

describeMatrix('who may do what with connections', () => {
  const running = new AsyncDisposableStack();
  let catalog: TestCatalog;

  beforeAll(async () => {
    const [servers, access] = await Promise.all([
      createCatalogServers(running),
      startAccessServers(running),
    ]);
    await access.relate(
      ...CALLERS.flatMap(({ tenant, subject = '', role }) =>
        role === undefined
          ? []
          : [{ user: `user:${subject}`, relation: role, object: `tenant:${tenant}` }],
      ),
    );
    const settings = { ...access.settings, INTEGRATIONS_TUNNEL_ENABLED: 'true' };
    catalog = running.use(await startCatalog(servers, settings));
  });

  afterAll(() => running.disposeAsync());

  function pathOf({ path }: GuardedRoute): string {
    return path.replace(/\{\w+\}/g, () => randomUUID());
  }

  it.each(routes)('$method $path', async (route) => {
    for (const caller of CALLERS) {
      const { status, body } = await catalog.send(route.method, pathOf(route), { as: caller });
      const isDenied = ['access_denied', 'insufficient_scope'].includes(String(body['code']));

      expect({ caller, isDenied, isBroken: status >= 500 }).toEqual({
        ...{ caller, isDenied: !mayHave(caller, route), isBroken: false },
      });
    }
    expect((await catalog.send(route.method, pathOf(route), { as: null })).status).toBe(401);
  });

  it.each(routes.filter(({ rule }) => rule.scope !== null))(
    'denies those who are nothing to the tenant: $method $path',
    async (route) => {
      const stranger = {
        tenant: 'acme',
        role: 'owner',
        subject: randomUUID(),
        ...ALLOWED,
      } as const;

      const answer = await catalog.send(route.method, pathOf(route), { as: stranger });

      expect(answer).toMatchObject({ status: 403, body: { code: 'access_denied' } });
    },
  );
});

/** By the words of the page, and not by the code that decides. */
function mayHave({ role }: TestCaller, { rule: { scope } }: GuardedRoute): boolean {
  return role === undefined || scope === null || roleScopes[role].includes(scope);
}
