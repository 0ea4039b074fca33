import { z } from 'zod';
import { cursorText } from '../conversation/cursor.ts';
import type { RowEvent } from '../conversation/event.ts';
import { toolCall, toolOutcome } from '../conversation/tool-call.ts';
import { clientIdentifier, timestamp } from '../identifiers.ts';
import { sessionKey } from './conversation.topics.ts';
import { defineTopic } from './topic.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

const envelope = {
  schema: z.string(),
  tenant_id: clientIdentifier,
  session_id: clientIdentifier,
  turn_id: z.string(),
  /** The `seq` of the `tool.start` row that asks for the call, and its cursor. */
  seq: z.int().positive(),
  cursor: cursorText,
  /** For whom the tool is to run: whoever wrote the message. */
  principal: z.object({ subject: z.string() }),
  occurred_at: timestamp,
};

/** A call that waits to be made. */
const toolRequest = z.object({
  ...envelope,
  type: z.literal('tool.request'),
  ...toolCall.shape,
});
export type ToolRequest = z.output<typeof toolRequest>;

/** What became of a call. All but `type` and the outcome is the request's. */
const toolResult = z.object({
  ...envelope,
  type: z.literal('tool.result'),
  attempt: toolCall.shape.attempt,
  ...toolOutcome.shape,
});
export type ToolResult = z.output<typeof toolResult>;

/** Calls of tools, for whoever runs them. A call may be sent more than once. */
export const toolRequests = defineTopic({
  name: 'tool.requests',
  version: 'tool.requests.v1',
  schema: toolRequest,
  key: sessionKey,
  partitions: 12,
  retention: DAY_MS,
  retry: { attempts: 5, firstDelayMs: 200 },
});

/** What became of the calls, for the workers. */
export const toolResults = defineTopic({
  name: 'tool.results',
  version: 'tool.results.v1',
  schema: toolResult,
  key: sessionKey,
  partitions: 12,
  retention: DAY_MS,
  retry: { attempts: 5, firstDelayMs: 200 },
});

/** The request that a `tool.start` row stands for; null for any other row. */
export function toolRequestOf(row: RowEvent): ToolRequest | null {
  const { tool_call, turn_id, tenant_id, session_id, seq, cursor, principal, occurred_at } = row;
  if (tool_call === undefined || turn_id === null) {
    return null;
  }
  return {
    schema: toolRequests.version,
    type: 'tool.request',
    tenant_id,
    session_id,
    turn_id,
    seq,
    cursor,
    principal,
    occurred_at,
    ...tool_call,
  };
}
