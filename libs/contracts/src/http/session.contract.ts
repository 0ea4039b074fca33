import { z } from 'zod';
import { cursorText } from '../conversation/cursor.ts';
import { metadata, quickAction, rowEvent } from '../conversation/event.ts';
import { clientIdentifier, timestamp } from '../identifiers.ts';
import { pageLimit } from './page.ts';

/** The longest message, in UTF-16 units. What is longer belongs into an attachment. */
const MESSAGE_MAX_LENGTH = 100_000;
/** The most attachments of one message. */
export const ATTACHMENTS_MAX = 10;

/** Body of `POST /v1/session/message`. */
export const messageRequest = z.strictObject({
  /** Omitted: a new session. An unknown one is made. */
  session_id: clientIdentifier.optional(),
  persona_id: clientIdentifier.optional(),
  message: z
    .string()
    .max(MESSAGE_MAX_LENGTH)
    .refine((text) => text.trim() !== '', 'must not be empty'),
  /**
   * `s3://` URLs in the tenant's own folder. How many there may be and where they may lie is checked
   * by whoever accepts the message: too many are well-formed but impossible (422).
   */
  attachments: z.array(z.string().max(2048)).meta({ maxItems: ATTACHMENTS_MAX }).optional(),
  metadata: metadata.optional(),
  /** A JSON Schema (2020-12), at most 32 KB, that the answer's `metadata.output` is valid by. */
  output_schema: z.record(z.string(), z.json()).optional(),
});
export type MessageRequest = z.output<typeof messageRequest>;

/** Body of `POST /v1/session/action`. */
export const actionRequest = z.strictObject({
  session_id: clientIdentifier,
  /** Checked by whoever accepts it: an unknown action is well-formed but impossible (422). */
  action: z.string().max(64).meta({ enum: quickAction.options }),
  persona_id: clientIdentifier.optional(),
  metadata: metadata.optional(),
});
export type ActionRequest = z.output<typeof actionRequest>;

/** What has been accepted, and where to read on: a stream from this cursor begins with the answer. */
export const accepted = z.strictObject({
  session_id: clientIdentifier,
  event_id: z.string(),
  cursor: cursorText,
});
export type Accepted = z.output<typeof accepted>;

/** Body of `POST /v1/session/{id}/cancel`. Without a turn: the one that runs or waits. */
export const cancelRequest = z.strictObject({ turn_id: z.string().max(128).optional() });
export type CancelRequest = z.output<typeof cancelRequest>;

/** The turn that was cancelled, and the row that says so. */
export const cancelled = z.strictObject({
  session_id: clientIdentifier,
  turn_id: z.string(),
  event_id: z.string(),
  cursor: cursorText,
});
export type Cancelled = z.output<typeof cancelled>;

/** A session as a list or a look-up shows it. */
export const session = z.strictObject({
  session_id: clientIdentifier,
  persona_id: clientIdentifier.nullable(),
  /** Who began it. */
  created_by: z.string(),
  created_at: timestamp,
  updated_at: timestamp,
  /** The last row of its timeline. */
  cursor: cursorText,
});
export type Session = z.output<typeof session>;

/** Query of `GET /v1/session`. */
export const sessionListQuery = z.strictObject({
  cursor: z.string().max(512).optional(),
  limit: pageLimit,
});
export type SessionListQuery = z.output<typeof sessionListQuery>;

/** The most recently changed sessions first. */
export const sessionList = z.strictObject({
  sessions: z.array(session),
  /** Pass it as `cursor` for the next page; null after the last one. */
  next_cursor: z.string().nullable(),
});
export type SessionList = z.output<typeof sessionList>;

/** Query of `GET /v1/session/{id}/timeline`: the rows after `cursor`. */
export const timelineQuery = z.strictObject({ cursor: cursorText.optional(), limit: pageLimit });
export type TimelineQuery = z.output<typeof timelineQuery>;

/** A page of a session's rows, in the order of `seq`. */
export const timeline = z.strictObject({
  events: z.array(rowEvent),
  next_cursor: cursorText.nullable(),
});

/** Answer of `POST /v1/session/{id}/stream-ticket`: one use, within 30 s, as `?ticket=`. */
export const streamTicket = z.strictObject({ ticket: z.string(), expires_at: timestamp });
export type StreamTicket = z.output<typeof streamTicket>;
