import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type AccessScope, accessScope, memberRole, type MemberRole } from '@soma/contracts';
import { describeAccessDoor, type GuardedRoute, guarded, mayHave } from './access-door.contract.ts';
import type { DeclaredRoute } from './access-table.ts';
import { personName, type RelationshipTuple, tenantName } from './relationship-names.ts';

export { describeAccessDoor } from './access-door.contract.ts';

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

/** A service that runs, with the policy agent and the relationship server. */
export interface MatrixService {
  url: string;
  send: SendAs;
  tokenOf: (caller: MatrixCaller) => Promise<string>;
  /**
   * Makes things of `acme` and names them: each by the beginning of the paths of the routes that it is
   * the first parameter of, as in `/v1/api-keys/`.
   */
  makeThings: () => Promise<Record<string, string>>;
}

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
 * @param start - Starts the service.
 */
export function describeAccessMatrix(
  declared: readonly DeclaredRoute[],
  start: (running: AsyncDisposableStack, known: MatrixPeople) => Promise<MatrixService>,
): void {
  const running = new AsyncDisposableStack();
  const routes = guarded(declared);
  let service: MatrixService;
  const send: SendAs = (...asked) => service.send(...asked);

  beforeAll(async () => {
    const relations = PEOPLE.map(({ tenant, subject, role }) => ({
      user: personName(subject),
      relation: role,
      object: tenantName(tenant),
    }));
    service = await start(running, { people: PEOPLE, relations });
  });
  afterAll(() => running.disposeAsync());

  it.each(routes)('$method $path', async (route) => {
    for (const caller of CALLERS) {
      const { status, body } = await send(route.method, pathOf(route), caller);
      const isDenied = ['access_denied', 'insufficient_scope'].includes(String(body['code']));

      expect({ caller, isDenied, isBroken: status >= 500 }).toEqual({
        ...{ caller, isDenied: !mayHave(caller.role, route), isBroken: false },
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

  it('says in its health that policies are asked', async () => {
    const answer = await fetch(`${service.url}/v1/health`);

    expect(await answer.json()).toMatchObject({ policy: 'enforced' });
  });

  it('shows and changes nothing of another tenant (P6)', async () => {
    const [things, before] = await madeBy(service);
    const agent = { tenant: 'globex', subject: 'agent', scopes };
    for (const [prefix, id] of Object.entries(things)) {
      const about = routes.filter(({ path }) => path.startsWith(`${prefix}{`));
      expect(about).not.toEqual([]);
      for (const { method, path } of about) {
        const of = (name: string) => path.replace(/\{\w+\}/, name).replace(/\{\w+\}/, 'token');
        const theirs = await send(method, of(id), agent);
        // As if it were not there: nobody learns whether it is.
        const nothing = await send(
          method,
          of(id.replace(/\w$/, (last) => (last === '0' ? '1' : '0'))),
          agent,
        );
        const seen = ({ status, body }: typeof theirs) => [method, path, status, body['code']];
        expect(seen(theirs)).toEqual(seen(nothing));
        expect(theirs.status).toBeGreaterThanOrEqual(400);
      }
    }
    expect((await madeBy(service, things))[1]).toEqual(before);
  });

  describeAccessDoor(declared, () => ({
    url: service.url,
    serviceToken: (some) => service.tokenOf({ tenant: 'acme', subject: 'agent', scopes: some }),
  }));
}

/** What there is of `acme`, and how it looks to who may see it. */
async function madeBy(
  { makeThings, send }: MatrixService,
  known?: Record<string, string>,
): Promise<[Record<string, string>, unknown[]]> {
  const things = known ?? (await makeThings());
  const own = { tenant: 'acme', subject: 'agent', scopes };
  const looks: unknown[] = [];
  for (const [prefix, id] of Object.entries(things)) {
    const { status, body } = await send('GET', `${prefix}${id}`, own);
    // Not all of it: how a connection is doing changes by itself.
    looks.push([prefix, status, body['version'], body['name'], body['revoked_at']]);
  }
  return [things, looks];
}

function pathOf({ path }: GuardedRoute): string {
  return path.replace(/\{\w+\}/g, () => randomUUID());
}
