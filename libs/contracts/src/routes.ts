/** An app that serves routes to partners behind the gateway's base URL. */
export type RoutedApp =
  'connection-catalog' | 'conversation-worker' | 'identity' | 'tool-executor' | 'webhook-receiver';

const PREFIXES: Record<RoutedApp, string[]> = {
  'connection-catalog': ['/api/v1/connections', '/api/v1/integrations', '/api/v1/oauth'],
  'conversation-worker': ['/api/v1/triggers'],
  identity: [
    '/.well-known',
    '/api/auth',
    '/oauth',
    '/v1/api-keys',
    '/v1/audit',
    '/v1/members',
    '/v1/tenants',
  ],
  'tool-executor': ['/v1/approvals', '/v1/documents', '/v1/tools'],
  'webhook-receiver': ['/api/v1/webhook-endpoints', '/api/v1/webhooks'],
};

/** Prefixes of paths, and whose they are. The gateway itself serves what is below none of them. */
export const routeTable: ReadonlyMap<string, RoutedApp> = new Map(
  Object.entries(PREFIXES).flatMap(([app, prefixes]) =>
    // The keys of the record are its type's; `entries` forgets that.
    prefixes.map((prefix): [string, RoutedApp] => [prefix, app as RoutedApp]),
  ),
);

/** How many segments the longest prefix has, with the empty one before the first slash. */
const MAX_SEGMENTS = Math.max(...[...routeTable.keys()].map((prefix) => prefix.split('/').length));

/**
 * The app behind a path, by the longest prefix that ends where a segment ends.
 *
 * @param path - Normalised: with `..` in it, an app would serve what is not below its prefixes.
 */
export function appServing(path: string): RoutedApp | undefined {
  const segments = path.split('/', MAX_SEGMENTS);
  for (; segments.length > 0; segments.pop()) {
    const app = routeTable.get(segments.join('/'));
    if (app !== undefined) {
      return app;
    }
  }
  return undefined;
}
