/*
 * When a provider is asked again whether somebody has entered the code of a device, as RFC 8628 §3.5
 * wants it: never sooner than it said, five seconds slower each time it says so, twice as slow when it
 * does not answer, and not once after the code has expired.
 */

/** The longest pause between two questions. */
const MAX_SECONDS = 60;
const SLOWER_SECONDS = 5;
/** Where the provider does not say (RFC 8628 §3.2). */
export const DEFAULT_POLL_SECONDS = 5;

/** What came of asking, other than tokens. */
export type PollAnswer = { kind: 'refused'; error: string } | { kind: 'unanswered' };

/** When to ask again, or why not. */
export type NextPoll = { pollSeconds: number; dueAt: Date } | { ended: string };

/** What follows from an answer. */
export function afterPoll(
  flow: { pollSeconds: number; expiresAt: Date },
  answer: PollAnswer,
  now: Date,
): NextPoll {
  const pollSeconds = pauseAfter(flow.pollSeconds, answer);
  if (pollSeconds === undefined) {
    return { ended: answer.kind === 'refused' ? answer.error : 'expired_token' };
  }
  const dueAt = new Date(now.getTime() + pollSeconds * 1000);
  return dueAt < flow.expiresAt ? { pollSeconds, dueAt } : { ended: 'expired_token' };
}

function pauseAfter(seconds: number, answer: PollAnswer): number | undefined {
  if (answer.kind === 'unanswered') {
    return Math.max(seconds, Math.min(MAX_SECONDS, seconds * 2));
  }
  switch (answer.error) {
    case 'authorization_pending':
      return seconds;
    case 'slow_down':
      return seconds + SLOWER_SECONDS;
    default:
      return undefined;
  }
}
