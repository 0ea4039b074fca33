import { auditEvents, configUpdates } from './access.topics.ts';
import { conversationInbound, conversationOutbound } from './conversation.topics.ts';
import { toolRequests, toolResults } from './tool.topics.ts';

/** Every topic there is. Topic creation and the committed JSON Schemas derive from this list. */
export const topicCatalog = [
  auditEvents,
  configUpdates,
  conversationInbound,
  conversationOutbound,
  toolRequests,
  toolResults,
] as const;
