import type { McpCatalogEntry, McpServer } from '@soma/contracts';

/** A connection, as far as it decides what a server gets of it. */
export interface NamedConnection {
  name: string;
  type: string;
}

/** An entry of the catalog as a tenant uses it. References name the connection, and hold nothing of it. */
export function toServer(entry: McpCatalogEntry, connection: NamedConnection | null): McpServer {
  const fitting = entry.connections.find(({ type }) => type === connection?.type);
  const values = connection === null ? [] : (fitting?.values ?? []);
  return {
    name: entry.entry_id,
    source: 'catalog',
    transport: entry.transport,
    references: values.map((value) => ({ ...value, connection: connection?.name ?? '' })),
    tools: entry.tools,
  };
}

/**
 * What a tenant's turns may use: the operator's own servers, and those that the tenant installed.
 * Where both have the name, the operator's counts: who runs Soma may replace a server of the catalog,
 * and no tenant replaces one of the operator's.
 */
export function mergeInstalledServers(
  operators: readonly McpServer[],
  installed: readonly McpServer[],
): McpServer[] {
  const names = new Set(operators.map(({ name }) => name));
  return [...operators, ...installed.filter(({ name }) => !names.has(name))];
}
