import { rowEvent, sessionEvent } from '../conversation/event.ts';
import { defineTopic } from './topic.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** What the topics of sessions are keyed by, so that a session's records share a partition. */
export function sessionKey(session: { tenant_id: string; session_id: string }): string {
  return `${session.tenant_id}:${session.session_id}`;
}

/** Messages that open turns, for the workers. A record only wakes: the turn is claimed from its row. */
export const conversationInbound = defineTopic({
  name: 'conversation.inbound',
  version: 'conversation.inbound.v1',
  schema: rowEvent,
  key: sessionKey,
  partitions: 12,
  retention: DAY_MS,
  retry: { attempts: 5, firstDelayMs: 200 },
});

/** Every row and every piece of an open answer, for the streams of every gateway. */
export const conversationOutbound = defineTopic({
  name: 'conversation.outbound',
  version: 'conversation.outbound.v1',
  schema: sessionEvent,
  key: sessionKey,
  partitions: 12,
  retention: DAY_MS,
  retry: { attempts: 1, firstDelayMs: 0 },
});
