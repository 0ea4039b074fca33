import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AccessRule, DeclaredRoute } from '@soma/auth';
import { describeAccessDoor } from '@soma/auth/contract';
import { memberRole, type MemberRole, roleScopes } from '@soma/contracts';
import {
  type AccessServers,
  installedTool,
  startAccessServers,
  type TokenClaims,
} from '@soma/testing';
import { gatewayRoutes } from '../openapi.ts';
import { type Answered, headersOfSocket, send } from './spec-support.ts';
import { createGatewayServers, startGateway, type TestServers } from '../spec-support.ts';

type GuardedRoute = DeclaredRoute & { kind: 'access' };

interface Caller {
  name: string;
  tenant: string;
  claims: TokenClaims;
}

const OWNER_OF_SESSIONS = 'person-member';

/** One of each role, one more member, and a service, in both tenants. */
const CALLERS: Caller[] = ['acme', 'globex'].flatMap((tenant) => [
  ...[...memberRole.options, 'member' as const].map((role, index) => {
    const subject = index < memberRole.options.length ? `person-${role}` : 'person-other';
    return { name: `${tenant}: ${subject} (${role})`, tenant, claims: { subject, role } };
  }),
  { name: `${tenant}: service`, tenant, claims: { subject: 'agent' } },
]);

/** What a guarded route is allowed to answer to those whom it does not let in. */
type Verdict = 'allowed' | 'denied' | 'hidden' | 'malformed' | 'unavailable';

const routes = (await gatewayRoutes()).filter(
  (route): route is GuardedRoute => route.kind === 'access',
);
const describeMatrix = installedTool('opa') && installedTool('openfga') ? describe : describe.skip;

describeMatrix('who may do what', () => {
  const running = new AsyncDisposableStack();
  let servers: TestServers;
  let access: AccessServers;
  let url: string;
  let made = 0;

  beforeAll(async () => {
    [servers, access] = await Promise.all([
      createGatewayServers(running),
      startAccessServers(running),
    ]);
    await access.relate(
      ...CALLERS.flatMap(({ tenant, claims: { subject = '', role } }) =>
        role === undefined
          ? []
          : [{ user: `user:${tenant}.${subject}`, relation: role, object: `tenant:${tenant}` }],
      ),
    );
    // A person sends more here than anybody may in a minute.
    const settings = { ...access.settings, RATE_LIMIT_API_PER_MINUTE: '0' };
    url = running.use(await startGateway(servers, settings)).url;
  });

  afterAll(() => running.disposeAsync());

  async function tokenOf({ tenant, claims }: Caller): Promise<string> {
    const subject = claims.role ? `${tenant}.${claims.subject ?? ''}` : 'agent';
    return servers.issuer.tokenFor(tenant, 'gateway', { ...claims, subject });
  }

  /** A new session of acme's member. */
  async function newSession(): Promise<string> {
    const session_id = `session-${++made}`;
    const claims = { subject: OWNER_OF_SESSIONS, role: 'member' };
    const token = await tokenOf({ name: '', tenant: 'acme', claims });
    const answer = await send(url, {
      method: 'POST',
      path: '/v1/session/message',
      token,
      session_id,
    });
    expect(answer.status).toBe(202);
    return session_id;
  }

  async function verdictOn(route: GuardedRoute, caller: Caller): Promise<Verdict> {
    const session = route.rule.relation === undefined ? 'any' : await newSession();
    const path = route.path.replace('{id}', session);
    const token = await tokenOf(caller);
    return verdict(await send(url, { method: route.method, path, token, session_id: session }));
  }

  it.each(routes)('$method $path', async (route) => {
    for (const caller of CALLERS) {
      expect({ caller: caller.name, verdict: await verdictOn(route, caller) }).toEqual({
        caller: caller.name,
        verdict: expected(route, caller),
      });
    }
    const path = route.path.replace('{id}', 'any');
    expect((await send(url, { method: route.method, path })).status).toBe(401);
  });

  it('lists to a person what this person began, and to a service all of its tenant', async () => {
    const listed = CALLERS.filter(({ claims: { role } }) => [undefined, 'member'].includes(role));
    for (const [index, caller] of listed.entries()) {
      const [token, session_id] = [await tokenOf(caller), `listed-${index}`];
      await send(url, { method: 'POST', path: '/v1/session/message', token, session_id });
    }

    const seen = await Promise.all(
      listed.map(async (caller) => {
        const headers = { authorization: `Bearer ${await tokenOf(caller)}` };
        const answer = await fetch(`${url}/v1/session?limit=100`, { headers });
        const { sessions } = (await answer.json()) as { sessions: { session_id: string }[] };
        const ids = sessions.map(({ session_id }) => session_id);
        return ids.filter((id) => id.startsWith('listed-')).sort();
      }),
    );

    // Of either tenant a member, another member, and a service.
    expect(seen).toEqual([
      ...[['listed-0'], ['listed-1'], ['listed-0', 'listed-1', 'listed-2']],
      ...[['listed-3'], ['listed-4'], ['listed-3', 'listed-4', 'listed-5']],
    ]);
  });

  describeAccessDoor(routes, () => ({
    url,
    headersFor: headersOfSocket,
    serviceToken: (scopes) => servers.issuer.tokenFor('acme', 'gateway', { scopes }),
  }));
});

function verdict({ status, code }: Answered): Verdict {
  switch (true) {
    case code === 'session_not_found':
      return 'hidden';
    case status === 401 || status === 403:
      return 'denied';
    case status === 400 || status === 429:
      return 'malformed';
    case status === 502:
      return 'unavailable';
    default:
      return 'allowed';
  }
}

/** By the words of the page, and not by the code that decides. */
function expected({ rule, path }: GuardedRoute, { tenant, claims }: Caller): Verdict {
  const role = memberRole.options.find((each) => each === claims.role);
  if (role !== undefined && !mayHave(role, rule)) {
    return 'denied';
  }
  if (rule.relation === undefined) {
    return 'allowed';
  }
  if (tenant !== 'acme') {
    // There is no such session in their tenant; a message begins one.
    return path === '/v1/session/message' ? 'allowed' : 'hidden';
  }
  return role === undefined || claims.subject === OWNER_OF_SESSIONS ? 'allowed' : 'hidden';
}

function mayHave(role: MemberRole, { scope }: AccessRule): boolean {
  return scope === null || roleScopes[role].includes(scope);
}
