import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  type AccessScope,
  type MemberRole,
  memberRole,
  relationOf,
  roleScopes,
} from '@soma/contracts';
import { format } from 'prettier';

/** The apps, and the function that lists the routes of each. */
const APPS = {
  gateway: 'gatewayRoutes',
  'conversation-worker': 'workerRoutes',
  identity: 'identityRoutes',
  'connection-catalog': 'catalogRoutes',
};

/** As `DeclaredRoute` of libs/auth, which tools do not import. */
export interface DeclaredRoute {
  kind: 'public' | 'internal' | 'forwarded' | 'access';
  method: string;
  path: string;
  rule?: Rule;
}

interface Rule {
  scope: AccessScope | null;
  resource: string;
  relation?: 'reader' | 'writer';
  mayBeNew?: boolean;
}

/** What is made from the declarations of all routes: the policies' data and the page of the docs. */
export async function accessFiles(workspace: string): Promise<{ path: string; content: string }[]> {
  const routes = new Map<string, DeclaredRoute[]>();
  for (const [app, name] of Object.entries(APPS)) {
    routes.set(app, sorted(await routesOf(workspace, app, name)));
  }
  const data = JSON.stringify(policyData([...routes.values()].flat()));
  return [
    {
      path: 'infra/policy/soma/data.json',
      content: await format(data, { parser: 'json', printWidth: 100 }),
    },
    {
      path: 'docs/access.md',
      content: await format(accessPage(routes), { parser: 'markdown', printWidth: 100 }),
    },
  ];
}

async function routesOf(workspace: string, app: string, name: string): Promise<DeclaredRoute[]> {
  // By path: no library may depend on an app, and tools read it only to describe it.
  const url = pathToFileURL(join(workspace, `apps/${app}/dist/openapi.js`)).href;
  const made = (await import(url)) as Record<string, () => Promise<DeclaredRoute[]>>;
  const routes = await made[name]?.();
  if (routes === undefined) {
    throw new Error(`apps/${app}/src/openapi.ts exports no ${name}.`);
  }
  return routes;
}

function sorted(routes: DeclaredRoute[]): DeclaredRoute[] {
  const key = ({ path, method }: DeclaredRoute): string => `${path} ${method}`;
  return routes.sort((left, right) => (key(left) < key(right) ? -1 : 1));
}

export function policyData(routes: DeclaredRoute[]): object {
  const entries = routes.flatMap(({ method, path, rule }) =>
    rule === undefined
      ? []
      : [[`${method} ${path}`, { scope: rule.scope, resource: rule.resource }]],
  );
  return { routes: Object.fromEntries(entries) as object, roles: roleScopes };
}

export function accessPage(routes: ReadonlyMap<string, DeclaredRoute[]>): string {
  return [INTRODUCTION, ...[...routes].map(([app, own]) => appSection(app, own))].join('\n\n');
}

function appSection(app: string, routes: DeclaredRoute[]): string {
  const guarded = routes.flatMap(({ rule, ...route }) =>
    rule === undefined ? [] : [{ ...route, rule }],
  );
  const lines = [`## ${app}`];
  if (guarded.length > 0) {
    lines.push('', ROUTE_HEAD, ...guarded.map(toRow));
  }
  const others = Map.groupBy(
    routes.filter(({ rule }) => rule === undefined),
    ({ kind }) => kind,
  );
  for (const [kind, open] of others) {
    const names = open.map(({ method, path }) => `\`${method} ${path}\``);
    const which = kind === 'forwarded' ? ROUTE_TABLE : names.join(', ');
    lines.push('', `${OPEN_ROUTES[kind]}: ${which}.`);
  }
  return lines.join('\n');
}

const ROLES = memberRole.options;

const ROUTE_HEAD = `| route | scope | ${ROLES.join(' | ')} | service | needs to be |
| --- | --- |${' :-: |'.repeat(ROLES.length + 1)} --- |`;

function toRow({ method, path, rule }: DeclaredRoute & { rule: Rule }): string {
  const marks = ROLES.map((role) => (mayUse(role, rule.scope) ? '✓' : ''));
  const scope = rule.scope === null ? 'none' : `\`${rule.scope}\``;
  const cells = [`\`${method} ${path}\``, scope, ...marks, '✓', relationText(rule)];
  return `| ${cells.join(' | ')} |`;
}

function mayUse(role: MemberRole, scope: Rule['scope']): boolean {
  return scope === null || roleScopes[role].includes(scope);
}

function relationText({ scope, resource, relation, mayBeNew }: Rule): string {
  if (scope === null) {
    return 'signed in; acts on their own';
  }
  const ofTenant = `${relationOf(scope)} of the tenant`;
  if (relation === undefined) {
    return ofTenant;
  }
  const ofObject = `${relation} of the ${resource}`;
  return mayBeNew === true ? `${ofObject}; ${ofTenant} for a new one` : ofObject;
}

const ROUTE_TABLE =
  'everything below the prefixes of [the route table](../libs/contracts/src/routes.ts)';

const OPEN_ROUTES: Record<DeclaredRoute['kind'], string> = {
  public: 'Open to everybody',
  internal: 'For other services alone, with a service token and on behalf of a principal',
  forwarded: 'Passed on as they are to the app that serves them, whose own declarations count',
  access: 'Declared',
};

const INTRODUCTION = `# Who may do what

This page is made from the declarations in the code (\`@Access\` on each route) by \`npm run generate\`;
the policies' data (\`infra/policy/soma/data.json\`) is made from the same table, and a service with a
route that declares nothing does not start.

A request goes on when all of this holds, each narrowing what the one before allows:

1. **Scope.** The credential has the scope of the route, else 403 \`insufficient_scope\`.
2. **Role.** A person's role in the tenant still allows that scope, else 403 \`access_denied\`. A
   service has no role: what it may do, its scopes alone say.
3. **Policy.** Open Policy Agent allows it (\`OPA_URL\`, \`POST /v1/data/http/authz/allow\`), else 403
   \`access_denied\`. It is told the method, the path's template, the principal, the tenant, the
   resource, the time and the source.
4. **Relation.** OpenFGA (\`OPENFGA_API_URL\`) says that the caller is to the tenant, or to the thing
   that the request names, what the last column says, else 403 \`access_denied\`, or 404 as if the thing
   were not there.

Answers are kept for at most one second. An engine that is down, that takes more than 250 ms (OPA) or
one second (OpenFGA), or that has no answer, means 502 (\`policy_unavailable\`,
\`relationships_unavailable\`): nothing is allowed without it. Only with \`NODE_ENV=development\` may the
two be unset; then 1, 2 and the owner decide alone, and \`GET /v1/health\` says
\`"policy": "not_configured"\`.

Every denial has a \`decision_id\` in its answer, except where the answer must not tell that something
is there. The log has one warning with the same id, and the rule that denied.

**Sessions** belong to whoever began them. People see and use their own and those that are shared with
them, whatever their role; what is not theirs is answered like what is not there. A service account
acts for its whole tenant, so it sees all sessions of the tenant that its scopes let it see.

A tenant is never named by a request: it comes from the credential, and row-level security holds it
fast beneath all of this.`;
