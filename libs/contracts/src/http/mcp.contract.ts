import { z } from 'zod';
import { clientIdentifier, timestamp } from '../identifiers.ts';
import { connectionName } from './connection.contract.ts';

const serverName = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/);
const texts = z.record(z.string(), z.string());

/** An npm package, pinned. Its integrity is that of the tarball, as npm verifies it. */
const mcpPackage = z.strictObject({
  name: z.string(),
  version: z.string().regex(/^\d+\.\d+\.\d+$/),
  integrity: z.string().regex(/^sha512-[A-Za-z0-9+/]{86}==$/),
  /** The file of the package that Node.js runs. */
  executable: z.string(),
});

/** How a server is spoken with. In texts, `{workspace}` is the folder that it may use. */
const mcpTransport = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('stdio'),
    package: mcpPackage,
    arguments: z.array(z.string()),
    environment: texts,
  }),
  z.strictObject({ type: z.literal('streamable_http'), url: z.url(), headers: texts }),
]);

/** What a server gets of a connection: in its environment, or as a header where it is remote. */
const mcpConnectionValue = z.strictObject({
  /** The variable or the header. */
  name: z.string(),
  field: z.string(),
  /** Before the value, as in `Bearer `. */
  prefix: z.string().default(''),
  /** What stands for each value that the field may have. */
  mapping: texts.optional(),
  is_optional: z.boolean().default(false),
});

/** A type of connections that a server can be used with. */
const mcpConnectionType = z.strictObject({
  type: z.string(),
  /** What else must be true of the connection, by field. */
  requires: texts.default({}),
  /** Whose tokens it may be given: the hosts of token endpoints. Empty: anybody's. */
  token_hosts: z.array(z.string()).default([]),
  description: z.string(),
  values: z.array(mcpConnectionValue).min(1),
});

/** An MCP server that a tenant can install. */
export const mcpCatalogEntry = z.strictObject({
  entry_id: serverName,
  name: z.string(),
  description: z.string(),
  keywords: z.array(z.string()),
  transport: mcpTransport,
  /** It needs one of these; with none here it needs no connection. */
  connections: z.array(mcpConnectionType),
  /** What it offers with its settings left as they are. */
  tools: z.array(z.string()).min(1),
  /** SPDX; of a remote server, that of its sources where they are open. */
  license: z.string().nullable(),
  source_url: z.url(),
});
export type McpCatalogEntry = z.output<typeof mcpCatalogEntry>;

/** Answer to `GET /api/v1/integrations/mcp/catalog` and to a search in it. */
export const mcpCatalog = z.strictObject({ entries: z.array(mcpCatalogEntry) });
export type McpCatalog = z.output<typeof mcpCatalog>;

/** Query of `GET /api/v1/integrations/mcp/catalog/search`. */
export const mcpCatalogSearch = z.strictObject({ q: z.string().trim().min(1).max(200) });
export type McpCatalogSearch = z.output<typeof mcpCatalogSearch>;

/** Body of `POST /api/v1/integrations/mcp/catalog/install`. */
export const installMcpServerRequest = z.strictObject({
  catalog_entry_id: serverName,
  connection_name: connectionName.optional(),
});
export type InstallMcpServerRequest = z.output<typeof installMcpServerRequest>;

/** An entry of the catalog that a tenant uses. */
export const mcpInstallation = z.strictObject({
  catalog_entry_id: serverName,
  connection_name: connectionName.nullable(),
  /**
   * `connection_missing`: its connection was deleted; install it again with another one.
   * `connection_unfit`: its connection was changed and does not fit any more.
   * `entry_missing`: this release has it no more.
   */
  status: z.enum(['ready', 'connection_missing', 'connection_unfit', 'entry_missing']),
  installed_by: z.string(),
  installed_at: timestamp,
});
export type McpInstallation = z.output<typeof mcpInstallation>;

/** Answer to `GET /api/v1/integrations/mcp/catalog/installed`. */
export const mcpInstallationList = z.strictObject({ installations: z.array(mcpInstallation) });
export type McpInstallationList = z.output<typeof mcpInstallationList>;

/** A field of a connection, which is resolved when the server is started and not before. */
const mcpReference = mcpConnectionValue.extend({ connection: connectionName });

/** An MCP server as the services use it. Nothing in it is secret. */
export const mcpServer = z.strictObject({
  name: serverName,
  source: z.enum(['catalog', 'operator']),
  transport: z.discriminatedUnion('type', [
    ...mcpTransport.options,
    /** A program that the operator has put there. */
    z.strictObject({
      type: z.literal('command'),
      command: z.string(),
      arguments: z.array(z.string()),
      environment: texts,
    }),
  ]),
  /** Go into the environment, or into the headers of a remote server. */
  references: z.array(mcpReference),
  /** Null where only the server itself knows. */
  tools: z.array(z.string()).nullable(),
});
export type McpServer = z.output<typeof mcpServer>;

/** Answer to `GET /internal/v1/mcp/servers`: what a tenant's turns may use. */
export const mcpServerList = z.strictObject({
  tenant_id: clientIdentifier,
  servers: z.array(mcpServer),
});
export type McpServerList = z.output<typeof mcpServerList>;
