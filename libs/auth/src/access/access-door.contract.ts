import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect, it } from '@jest/globals';
import { type AccessScope, accessScope, type MemberRole, roleScopes } from '@soma/contracts';
import type { DeclaredRoute } from './access-table.ts';

export type GuardedRoute = DeclaredRoute & { kind: 'access' };

/** A service that listens, and tokens for it. */
export interface Door {
  url: string;
  /** A token of a service of `acme` that has these scopes. */
  serviceToken: (scopes: readonly AccessScope[]) => Promise<string>;
  /** What a request needs so as to reach its route, as an upgrade. */
  headersFor?: (method: string, path: string) => Record<string, string>;
}

/** What is sent, the path letter by letter. */
interface Sent {
  method: string;
  path: string;
  token: string;
  headers?: Record<string, string>;
}

const VERBS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND'];
const READ = accessScope.options.filter((scope) => scope.endsWith(':read'));

/** Other ways to write the path of a route. */
const SPELLINGS: ((path: string) => string)[] = [
  (path) => path.replace('/v1/', '//v1//'),
  (path) => path.replace('/v1/', '/V1/'),
  (path) => path.toUpperCase(),
  (path) => path.replace('/v1/', '/v1/./'),
  (path) => path.replace('/v1/', '/v1/models/../'),
  (path) => path.replace('/v1/', '/oauth/../v1/'),
  (path) => path.replace('/v1/', '/v1/models/%2e%2e/'),
  (path) => path.replace('/v1/', '/v1%2F'),
  (path) => path.replace('/v1/', '/v1/models%2F..%2F'),
  (path) => path.replace('s', '%73'),
  (path) => path.replace('s', '%2573'),
  (path) => `${path}/`,
  (path) => `${path}.`,
  (path) => `${path}%2E`,
  (path) => `${path};a=b`,
  (path) => `${path}%00`,
  (path) => `${path}?_method=GET`,
  (path) => `http://gateway${path}`,
];

/** Who may use what at most. The first line that fits counts. */
const AT_MOST: [route: RegExp, roles: readonly MemberRole[]][] = [
  // A person's own account.
  [/^\w+ \/api\/auth\//, ['owner', 'admin', 'member', 'viewer', 'auditor']],
  [/^POST \/v1\/members\/invitations\/accept$/, ['owner', 'admin', 'member', 'viewer', 'auditor']],
  [/^GET \/v1\/(audit|members|tenants)\b/, ['owner', 'admin', 'auditor']],
  [/^\w+ \/v1\/tenants\b/, ['owner']],
  [/^\w+ \/v1\/(api-keys|members|audit)\b/, ['owner', 'admin']],
  [/^GET .*\/secrets\//, ['owner', 'admin']],
  // The ticket lets a browser read.
  [/^(GET \/|POST \/v1\/session\/\{id\}\/stream-ticket$)/, ['owner', 'admin', 'member', 'viewer']],
  [/^\w+ \/v1\/session\//, ['owner', 'admin', 'member']],
  // Whatever else changes something.
  [/./, ['owner', 'admin']],
];

/** The routes that let in whom their declarations name. */
export function guarded(declared: readonly DeclaredRoute[]): GuardedRoute[] {
  return declared.filter((route): route is GuardedRoute => route.kind === 'access');
}

/** By the words of the page, and not by the code that decides. */
export function mayHave(role: MemberRole | undefined, { rule: { scope } }: GuardedRoute): boolean {
  return role === undefined || scope === null || roleScopes[role].includes(scope);
}

/**
 * No way to ask for a route but its own leads past its declaration, and none declares too little.
 *
 * @param door - Asked when the service runs.
 */
export function describeAccessDoor(declared: readonly DeclaredRoute[], door: () => Door): void {
  const routes = guarded(declared);
  const scoped = routes.filter(({ rule }) => rule.scope !== null);

  it('declares no route for more roles than may use it at most', () => {
    for (const route of routes) {
      const name = `${route.method} ${route.path}`;
      const atMost = AT_MOST.find(([pattern]) => pattern.test(name))?.[1] ?? [];
      const roles = Object.keys(roleScopes) as MemberRole[];
      const tooMany = roles.filter((role) => mayHave(role, route) && !atMost.includes(role));
      expect([name, ...tooMany]).toEqual([name]);
    }
  });

  it('lets nobody in who has every scope but the one', async () => {
    for (const { method, path, rule } of scoped) {
      const token = await door().serviceToken(
        accessScope.options.filter((scope) => scope !== rule.scope),
      );
      const answer = await send(door(), { method, path: named(path), token });
      expect(`${method} ${path} ${answer}`).toMatch(/ 403 .*"insufficient_scope"/);
    }
  });

  it('serves no verb that is not declared', async () => {
    const token = await door().serviceToken(accessScope.options);
    const paths = [...new Set(routes.map(({ path }) => path))];
    for (const path of paths) {
      for (const method of VERBS.filter((each) => !isServed(declared, each, path))) {
        const answer = await send(door(), { method, path: named(path), token });
        expect(`${method} ${path} ${answer}`).toMatch(/^\S+ \S+ 40[0145] /);
      }
    }
  });

  it('asks of HEAD what it asks of GET', async () => {
    const token = await door().serviceToken([]);
    for (const { path } of scoped.filter(({ method }) => method === 'GET')) {
      const answer = await send(door(), { method: 'HEAD', path: named(path), token });
      expect(`HEAD ${path} ${answer}`).toMatch(/^\S+ \S+ 40[34] /);
    }
  });

  it('lets nobody past by another way to write a path', async () => {
    const token = await door().serviceToken([]);
    for (const { method, path } of scoped) {
      for (const spell of SPELLINGS) {
        const sent = { method, path: spell(named(path)), token };
        const answer = await send(door(), sent);
        expect(`${method} ${sent.path} ${answer}`).toMatch(/^\S+ \S+ 40[034] /);
      }
    }
  });

  it.each(['x-http-method-override', 'x-http-method', 'x-method-override'])(
    'knows a request by its own method, whatever %s says',
    async (header) => {
      const token = await door().serviceToken(READ);
      for (const { method, path, rule } of scoped) {
        if (method === 'GET' || READ.some((scope) => scope === rule.scope)) {
          continue;
        }
        const sent = { method, path: named(path), token, headers: { [header]: 'GET' } };
        const answer = await send(door(), sent);
        expect(`${method} ${path} ${answer}`).toMatch(/^\S+ \S+ 403 /);
      }
    },
  );
}

/** `/a/b` is reached by `/a/{id}` too. */
function isServed(declared: readonly DeclaredRoute[], method: string, path: string): boolean {
  return declared.some(
    (route) =>
      ['ALL', method].includes(route.method) &&
      new RegExp(`^${route.path.replace(/\{\w+\}/g, '[^/]+')}$`).test(path),
  );
}

function named(path: string): string {
  return path.replace(/\{\w+\}/g, 'any');
}

/** Status and content. */
async function send(door: Door, { method, path, token, headers }: Sent): Promise<string> {
  const needed = door.headersFor?.(method, path);
  const sent = request(door.url, {
    method,
    path,
    headers: { authorization: `Bearer ${token}`, ...needed, ...headers },
  });
  const answered = Promise.withResolvers<IncomingMessage>();
  sent.on('error', answered.reject).on('response', answered.resolve).end();
  const response = await answered.promise;
  return `${response.statusCode ?? 0} ${await text(response)}`;
}
