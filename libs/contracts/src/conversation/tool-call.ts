import { z } from 'zod';
import { timestamp } from '../identifiers.ts';

/** A tool's name as models are told it; what every provider takes. */
const toolName = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);

/** What a model asks of a tool, and until when the turn waits for it. */
export const toolCall = z.object({
  /** Names the call for good: whoever runs it does so once, however often it is asked to. */
  call_id: z.string(),
  tool: toolName,
  /** As the model wrote them: nobody has held them against the tool's schema yet. */
  arguments: z.record(z.string(), z.json()),
  /** SHA-256 of the arguments' canonical form (RFC 8785), in hexadecimal. */
  argument_hash: z.string().regex(/^[0-9a-f]{64}$/),
  /** The attempt at which the turn waits. A result that names another one is ignored. */
  attempt: z.int().positive(),
  /** From then on nobody waits for the result any more. */
  deadline: timestamp,
});
export type ToolCall = z.output<typeof toolCall>;

/** How a call ended. */
const toolStatus = z.enum([
  'ok',
  /** The tool ran and failed. */
  'error',
  /** A policy or a person did not allow it. */
  'denied',
  /** It was not done by its deadline. */
  'timed_out',
  /** Nobody decided in time whether it may run. */
  'expired',
  /** It was cut, must not be repeated, and what it has done is unknown. */
  'lost',
]);

/** What became of a call. */
export const toolOutcome = z.object({
  call_id: z.string(),
  status: toolStatus,
  /** What the tool answered; with any status but `ok`, what is to be said of it. */
  output: z.json(),
  /** What it took; absent where nothing ran. */
  usage: z.object({ duration_ms: z.int().nonnegative() }).optional(),
});
export type ToolOutcome = z.output<typeof toolOutcome>;
