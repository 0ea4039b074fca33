/*
 * What the API document shows as answers: one conversation, seen by every route.
 */
import type {
  Accepted,
  Cancelled,
  ModelList,
  Persona,
  PersonaList,
  PieceEvent,
  RowEvent,
  Session,
  SessionList,
  StreamTicket,
  timeline,
} from '@soma/contracts';
import type { z } from 'zod';

const SESSION = '019a0b1c-2d3e-7f40-8a5b-6c7d8e9f0a1b';
const TURN = '019a0b1c-2d40-7a51-9b6c-7d8e9f0a1b2c';

export const acceptedExample: Accepted = { session_id: SESSION, event_id: TURN, cursor: '1.0' };

export const cancelledExample: Cancelled = {
  session_id: SESSION,
  turn_id: TURN,
  event_id: '019a0b1c-3a10-7c62-8d7e-9f0a1b2c3d4e',
  cursor: '3.0',
};

export const personaExample: Persona = {
  persona_id: 'helpdesk',
  name: 'Help desk',
  instructions: 'Answer briefly, and name the article that you rely on.',
  model: null,
  temperature: 0.2,
  top_p: null,
  top_k: null,
  max_tokens: null,
  created_at: '2026-03-02T08:00:00.000Z',
  updated_at: '2026-03-02T08:00:00.000Z',
};

export const personaListExample: PersonaList = { personas: [personaExample], next_cursor: null };

export const sessionExample: Session = {
  session_id: SESSION,
  persona_id: 'helpdesk',
  created_by: 'crm-integration',
  created_at: '2026-03-02T09:30:00.000Z',
  updated_at: '2026-03-02T09:30:02.480Z',
  cursor: '3.0',
};

export const sessionListExample: SessionList = { sessions: [sessionExample], next_cursor: null };

const envelope = {
  schema: 'conversation.outbound.v1',
  tenant_id: 'acme',
  session_id: SESSION,
  turn_id: TURN,
};

const messageExample: RowEvent = {
  ...envelope,
  type: 'user.message',
  event_id: TURN,
  seq: 1,
  cursor: '1.0',
  persona_id: 'helpdesk',
  role: 'user',
  message: 'What did we agree on yesterday?',
  metadata: { source: 'mail' },
  principal: { subject: 'crm-integration' },
  occurred_at: '2026-03-02T09:30:00.000Z',
};

/** One of the many that a stream carries while an answer is written. */
export const pieceExample: PieceEvent = {
  ...envelope,
  type: 'assistant.delta',
  seq: 2,
  started_seq: 2,
  from: 0,
  to: 18,
  cursor: '2.18',
  role: 'assistant',
  message: 'To ship on Friday.',
  principal: { subject: 'conversation-worker' },
  occurred_at: '2026-03-02T09:30:01.950Z',
};

export const timelineExample: z.output<typeof timeline> = {
  events: [messageExample],
  next_cursor: '1.0',
};

export const streamTicketExample: StreamTicket = {
  ticket: 'YWNtZQ.c2l4dHkgZm91ciByYW5kb20gY2hhcmFjdGVycw',
  expires_at: '2026-03-02T09:30:30.000Z',
};

export const modelListExample: ModelList = {
  models: [
    {
      id: 'openai/gpt-4o',
      provider: 'openai',
      available: true,
      default: true,
      context_window: 128_000,
      max_output_tokens: 16_384,
      supports: { temperature: true, top_p: true, top_k: false, structured_output: true },
      retired_at: null,
      successor: null,
    },
  ],
};
