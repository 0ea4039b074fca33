export { CatalogClient } from './catalog-client.ts';
export { ConnectionLeases } from './connection-leases.ts';
export { ConnectionLimits } from './connection-limits.ts';
export { connectionRequest, type ConnectionRequest, urlBelow } from './connection-request.ts';
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
export { type OpenConnection, openConnection } from './open-connection.ts';
