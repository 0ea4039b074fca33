import { z } from 'zod';
import { clientIdentifier } from '../identifiers.ts';
import {
  accepted,
  actionRequest,
  cancelled,
  cancelRequest,
  messageRequest,
} from './session.contract.ts';

/** Query of both streams. A browser that cannot set headers passes its ticket. */
export const streamQuery = z.strictObject({
  cursor: z.string().max(64).optional(),
  ticket: z.string().max(256).optional(),
});
export type StreamQuery = z.output<typeof streamQuery>;

const frame = {
  /** Chosen by the client; the reply to the frame carries it. */
  request_id: clientIdentifier.optional(),
  idempotency_key: z.string().min(1).max(255).optional(),
};

/** What a client may send on `WebSocket /v1/session/{id}/stream`. */
export const clientFrame = z.discriminatedUnion('type', [
  messageRequest.omit({ session_id: true }).extend({ type: z.literal('message'), ...frame }),
  actionRequest.omit({ session_id: true }).extend({ type: z.literal('action'), ...frame }),
  cancelRequest.extend({ type: z.literal('cancel'), ...frame }),
]);
export type ClientFrame = z.output<typeof clientFrame>;

/** What answers a client's frame, among the envelopes of the stream. */
export const serverReply = z.discriminatedUnion('type', [
  accepted.extend({ type: z.literal('reply.accepted'), request_id: clientIdentifier.nullable() }),
  cancelled.extend({ type: z.literal('reply.cancelled'), request_id: clientIdentifier.nullable() }),
  z.strictObject({
    type: z.literal('reply.problem'),
    request_id: clientIdentifier.nullable(),
    problem: z.record(z.string(), z.json()),
  }),
]);
export type ServerReply = z.output<typeof serverReply>;
