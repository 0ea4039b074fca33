import { z } from 'zod';
import { clientIdentifier, timestamp } from '../identifiers.ts';
import { cursorText } from './cursor.ts';
import { toolCall, toolOutcome } from './tool-call.ts';

/** Events that are rows of the timeline, each with a `seq` of its own. */
const rowType = z.enum([
  'user.message',
  'assistant.started',
  'assistant.final',
  'assistant.cancelled',
  'assistant.error',
  'tool.start',
  'tool.result',
  'approval.requested',
  'session.updated',
]);
export type RowType = z.output<typeof rowType>;

/** What a person may ask of a session in one click. */
export const quickAction = z.enum(['summarize', 'next_steps', 'status_report']);
export type QuickAction = z.output<typeof quickAction>;

/** Free data of the client's own beside a message. The system's own fields are never in it. */
export const metadata = z.record(z.string(), z.json());

const envelope = {
  schema: z.string(),
  tenant_id: clientIdentifier,
  session_id: clientIdentifier,
  /** The `event_id` of the message that opened the turn; null where no turn is concerned. */
  turn_id: z.string().nullable(),
  cursor: cursorText,
  principal: z.object({ subject: z.string() }),
  occurred_at: timestamp,
};

/** A row of the timeline on the wire: in Kafka, in a page of the timeline and in every stream. */
export const rowEvent = z.object({
  ...envelope,
  type: rowType,
  event_id: z.string(),
  seq: z.int().positive(),
  persona_id: clientIdentifier.nullable(),
  role: z.enum(['user', 'assistant', 'tool', 'system']),
  message: z.string(),
  attachments: z.array(z.string()).optional(),
  metadata,
  /** In a `user.message`: the quick action that it asks for. */
  action: quickAction.optional(),
  /** In a `user.message`: the JSON Schema by which `metadata.output` of the answer is valid. */
  output_schema: z.record(z.string(), z.json()).optional(),
  /** In `assistant.started`: how much of the turn's text so far stands, in UTF-16 units. */
  keep: z.int().nonnegative().optional(),
  /** In `tool.start` and `approval.requested`: the turn's whole text so far. */
  text: z.string().optional(),
  /** In `tool.start`. A model that asks for several tools at once starts each by a row. */
  tool_call: toolCall.optional(),
  /** In `tool.result`. */
  tool_result: toolOutcome.optional(),
});
export type RowEvent = z.output<typeof rowEvent>;

/** A piece of an open answer. It is no row: what is lost of it is found in the row that closes it. */
export const pieceEvent = z.object({
  ...envelope,
  type: z.enum(['assistant.delta', 'assistant.thinking']),
  /** The `seq` of the `assistant.started` that the piece belongs to. */
  seq: z.int().positive(),
  started_seq: z.int().positive(),
  /** Where the piece lies in the text of the whole turn, in UTF-16 units: `[from, to)`. */
  from: z.int().nonnegative(),
  to: z.int().nonnegative(),
  role: z.literal('assistant'),
  message: z.string(),
});
export type PieceEvent = z.output<typeof pieceEvent>;

/** Anything that a stream of a session can carry. */
export const sessionEvent = z.discriminatedUnion('type', [rowEvent, pieceEvent]);
export type SessionEvent = z.output<typeof sessionEvent>;
