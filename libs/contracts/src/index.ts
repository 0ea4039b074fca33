export { type AccessResource, relationOf, type TenantRelation } from './access/relations.ts';
export { memberRole, type MemberRole, roleScopes } from './access/roles.ts';
export { accessScope, type AccessScope } from './access/scopes.ts';
export {
  auditHash,
  type AuditLine,
  auditLine,
  type ChainHead,
  chainHead,
  FIRST_PREVIOUS_HASH,
} from './audit/audit-chain.ts';
export {
  compareCursors,
  type Cursor,
  formatCursor,
  parseCursor,
  START,
} from './conversation/cursor.ts';
export {
  type PieceEvent,
  pieceEvent,
  type QuickAction,
  quickAction,
  type RowEvent,
  rowEvent,
  type RowType,
  type SessionEvent,
  sessionEvent,
} from './conversation/event.ts';
export {
  auditFilter,
  type AuditFilter,
  type AuditPage,
  auditPage,
  auditQuery,
  type AuditQuery,
} from './http/audit.contract.ts';
export { type ToolCall, type ToolOutcome } from './conversation/tool-call.ts';
export {
  apiKey,
  type ApiKey,
  apiKeyList,
  type ApiKeyList,
  apiKeyListQuery,
  type ApiKeyListQuery,
  createApiKeyRequest,
  type CreateApiKeyRequest,
  createdApiKey,
  type CreatedApiKey,
  rotateApiKeyRequest,
  type RotateApiKeyRequest,
} from './http/api-key.contract.ts';
export {
  installMcpServerRequest,
  type InstallMcpServerRequest,
  mcpCatalog,
  type McpCatalog,
  mcpCatalogEntry,
  type McpCatalogEntry,
  mcpCatalogSearch,
  type McpCatalogSearch,
  mcpInstallation,
  type McpInstallation,
  mcpInstallationList,
  type McpInstallationList,
  mcpServer,
  type McpServer,
  mcpServerList,
  type McpServerList,
} from './http/mcp.contract.ts';
export {
  acceptInvitationRequest,
  type AcceptInvitationRequest,
  createdInvitation,
  type CreatedInvitation,
  createInvitationRequest,
  type CreateInvitationRequest,
  type Invitation,
  invitationList,
  type InvitationList,
  member,
  type Member,
  memberList,
  type MemberList,
  memberListQuery,
  type MemberListQuery,
  membership,
  type Membership,
  serviceAccount,
  type ServiceAccount,
  serviceAccountList,
  type ServiceAccountList,
  serviceAccountRequest,
  type ServiceAccountRequest,
  updateMemberRequest,
  type UpdateMemberRequest,
} from './http/member.contract.ts';
export { modelList, type ModelList } from './http/model.contract.ts';
export {
  type ConnectionHealth,
  connectionHealthReport,
  type ConnectionHealthReport,
  type HealthReason,
} from './http/connection-health.contract.ts';
export {
  connection,
  type Connection,
  connectionDetails,
  type ConnectionDetails,
  connectionList,
  type ConnectionList,
  connectionListQuery,
  type ConnectionListQuery,
  connectionName,
  connectionTypeList,
  type ConnectionTypeList,
  type ConnectionUsage,
  createConnectionRequest,
  type CreateConnectionRequest,
  deleteConnectionQuery,
  type DeleteConnectionQuery,
  revealedSecret,
  type RevealedSecret,
  updateConnectionRequest,
  type UpdateConnectionRequest,
} from './http/connection.contract.ts';
export { toPage } from './http/page.ts';
export {
  createPersonaRequest,
  type CreatePersonaRequest,
  persona,
  type Persona,
  personaList,
  type PersonaList,
  personaListQuery,
  type PersonaListQuery,
  updatePersonaRequest,
  type UpdatePersonaRequest,
} from './http/persona.contract.ts';
export {
  accepted,
  type Accepted,
  actionRequest,
  type ActionRequest,
  ATTACHMENTS_MAX,
  cancelled,
  type Cancelled,
  cancelRequest,
  type CancelRequest,
  messageRequest,
  type MessageRequest,
  session,
  type Session,
  sessionList,
  type SessionList,
  sessionListQuery,
  type SessionListQuery,
  streamTicket,
  type StreamTicket,
  timeline,
  timelineQuery,
  type TimelineQuery,
} from './http/session.contract.ts';
export {
  clientFrame,
  type ClientFrame,
  serverReply,
  type ServerReply,
  streamQuery,
  type StreamQuery,
} from './http/stream.contract.ts';
export {
  createdTenant,
  type CreatedTenant,
  createTenantRequest,
  type CreateTenantRequest,
  tenant,
  type Tenant,
  updateTenantRequest,
  type UpdateTenantRequest,
} from './http/tenant.contract.ts';
export {
  startTunnelRequest,
  type StartTunnelRequest,
  type TunnelProviderName,
  tunnelStatus,
  type TunnelStatus,
} from './http/tunnel.contract.ts';
export {
  type ConnectionHttp,
  connectionLease,
  type ConnectionLease,
  connectionPurpose,
  type ConnectionPurpose,
  connectionUsagePath,
  type ConnectionUsagePath,
  type CredentialPlace,
  resolveConnectionRequest,
  type ResolveConnectionRequest,
} from './internal/connection-lease.contract.ts';
export {
  connectionPermit,
  type ConnectionPermit,
  pauseConnectionRequest,
  type PauseConnectionRequest,
  permitPath,
  type PermitPath,
  takePermitRequest,
  type TakePermitRequest,
} from './internal/connection-permit.contract.ts';
export { clientIdentifier, timestamp } from './identifiers.ts';
export { principal, type Principal } from './principal.ts';
export { appServing, type RoutedApp, routeTable } from './routes.ts';
export {
  type AuditEvent,
  auditEvents,
  type AuditReport,
  configUpdate,
  type ConfigUpdate,
  configUpdates,
} from './topics/access.topics.ts';
export { topicCatalog } from './topics/catalog.ts';
export {
  conversationInbound,
  conversationOutbound,
  sessionKey,
} from './topics/conversation.topics.ts';
export {
  DEAD_LETTER_RETENTION_MS,
  type DeadLetter,
  deadLetter,
  deadLetterTopic,
} from './topics/dead-letter.ts';
export { defineTopic, type Topic } from './topics/topic.ts';
export {
  type ToolRequest,
  toolRequestOf,
  toolRequests,
  type ToolResult,
  toolResults,
} from './topics/tool.topics.ts';
export { topicSchema } from './topics/topic-schema.ts';
