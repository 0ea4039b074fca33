import type { Write } from '@soma/persistence';
import type { TurnOrigin } from './turn-rows.ts';

/** What a model call is booked with. A call that was cut has no usage that anybody knows. */
export interface ModelCallRecord {
  outcome: 'finished' | 'failed' | 'lost';
  /** As in `openai/gpt-4o`. */
  model?: string;
  usage?: { input_tokens: number; output_tokens: number; cached_input_tokens: number };
}

/** Books the call of one attempt, once: a repeat, by whomever, changes nothing (P3). */
export function bookModelCall(
  write: Write,
  { tenantId, sessionId, turnId, attempt }: TurnOrigin & { attempt: number },
  { outcome, model, usage }: ModelCallRecord,
): void {
  write(
    `INSERT INTO conversation.model_calls
       (tenant_id, session_id, turn_id, attempt, outcome, model,
        input_tokens, output_tokens, cached_input_tokens, occurred_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp())
     ON CONFLICT DO NOTHING`,
    [
      tenantId,
      sessionId,
      turnId,
      attempt,
      outcome,
      model ?? null,
      usage?.input_tokens ?? 0,
      usage?.output_tokens ?? 0,
      usage?.cached_input_tokens ?? 0,
    ],
  );
}
