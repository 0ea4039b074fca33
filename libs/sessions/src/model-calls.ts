import type { Write } from '@soma/persistence';
import type { TurnOrigin } from './turn-rows.ts';

/** What calls have used. */
export interface CallUsage {
  input_tokens: number;
  output_tokens: number;
  cached_input_tokens: number;
  /** A provider did not say, so tokens were estimated. */
  estimated?: true;
}

/** What a model call is booked with. A call that was cut has no usage that anybody knows. */
export interface ModelCallRecord {
  outcome: 'finished' | 'failed' | 'lost';
  /** As in `openai/gpt-4o`. */
  model?: string;
  usage?: CallUsage;
  /** Up to which message it summarised the session. Default: it answered the turn. */
  summarisedTo?: number;
}

const NO_USAGE: CallUsage = { input_tokens: 0, output_tokens: 0, cached_input_tokens: 0 };

/** What two calls, or sums of calls, have used together. */
export function addUsage(one: CallUsage, other: CallUsage = NO_USAGE): CallUsage {
  return {
    input_tokens: one.input_tokens + other.input_tokens,
    output_tokens: one.output_tokens + other.output_tokens,
    cached_input_tokens: one.cached_input_tokens + other.cached_input_tokens,
    ...((one.estimated ?? other.estimated) && { estimated: true }),
  };
}

/** Books a call of one attempt, once: a repeat, by whomever, changes nothing (P3). */
export function bookModelCall(
  write: Write,
  { tenantId, sessionId, turnId, attempt }: TurnOrigin & { attempt: number },
  { outcome, model, usage = NO_USAGE, summarisedTo = 0 }: ModelCallRecord,
): void {
  write(
    `INSERT INTO conversation.model_calls
       (tenant_id, session_id, turn_id, attempt, outcome, model,
        input_tokens, output_tokens, cached_input_tokens, estimated, summarised_to, occurred_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, clock_timestamp())
     ON CONFLICT DO NOTHING`,
    [
      tenantId,
      sessionId,
      turnId,
      attempt,
      outcome,
      model ?? null,
      usage.input_tokens,
      usage.output_tokens,
      usage.cached_input_tokens,
      usage.estimated ?? false,
      summarisedTo,
    ],
  );
}
