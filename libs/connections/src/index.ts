export { CatalogClient } from './catalog-client.ts';
export { ConnectionLeases, type OpenConnection } from './connection-leases.ts';
export { ConnectionLimits } from './connection-limits.ts';
export {
  ConnectionsModule,
  connectionSettings,
  type ConnectionsConfig,
} from './connections.module.ts';
export {
  type McpConnections,
  type McpLaunch,
  mcpLaunch,
  McpLaunchError,
  type McpPlace,
} from './mcp-launch.ts';
