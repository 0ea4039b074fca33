import { z } from 'zod';
import { timestamp } from '../identifiers.ts';

/** The value of a record on `<topic>.dlq`: what could not be handled, and why. */
export const deadLetter = z.object({
  /** The record's value as it came, undecoded text. */
  original_event: z.string(),
  source_topic: z.string(),
  error_message: z.string(),
  error_type: z.string(),
  retry_count: z.int().nonnegative(),
  timestamp,
});
export type DeadLetter = z.output<typeof deadLetter>;

/** Dead letters are kept longer than what they were made of: 7 days, in milliseconds. */
export const DEAD_LETTER_RETENTION_MS = 7 * 24 * 60 * 60 * 1000;

/** The topic on which the dead letters of another one lie. */
export function deadLetterTopic(topic: string): string {
  return `${topic}.dlq`;
}
