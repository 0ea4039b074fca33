/*
 * When which key signs, and which keys are published. It is all in the times of the keys, which the
 * database holds; so every pod comes to the same answer without talking to the others.
 *
 * A key is published from the moment it is made, and signs from `publishLeadMs` later: by then every
 * copy of the published keys that is older than the key has had its time. It signs until a younger
 * one does. It is published until the last token that it can have signed has expired.
 */

/** A key's place in the schedule. */
export interface ScheduledKey {
  kid: string;
  createdAtMs: number;
  signsFromMs: number;
}

/** How long what takes. */
export interface KeyLifetimes {
  /** From a key's making to its first signature. */
  publishLeadMs: number;
  /** The longest that a token is accepted, clocks that go wrong included. */
  tokenLifeMs: number;
  /** A key that has signed for so long is replaced. */
  rotateEveryMs: number;
}

/** The key that signs at a time. Of keys that begin at once it is the one with the last id. */
export function signingKey<Key extends ScheduledKey>(
  keys: readonly Key[],
  nowMs: number,
): Key | undefined {
  return keys
    .filter(({ signsFromMs }) => signsFromMs <= nowMs)
    .sort(byBegin)
    .at(-1);
}

/** The keys that verify at a time: those that have signed, while their tokens last, and the next. */
export function publishedKeys<Key extends ScheduledKey>(
  keys: readonly Key[],
  nowMs: number,
  { tokenLifeMs }: KeyLifetimes,
): Key[] {
  const inOrder = [...keys].sort(byBegin);
  return inOrder.filter((_key, index) => {
    const successor = inOrder[index + 1];
    return successor === undefined || nowMs < successor.signsFromMs + tokenLifeMs;
  });
}

/** What asks for a new key, at a time. */
export interface RotationWishes {
  nowMs: number;
  /** When somebody last asked for one. */
  requestedAtMs?: number | undefined;
}

/** Whether it is time to make a key. One that is waiting to sign is enough. */
export function isRotationDue(
  keys: readonly ScheduledKey[],
  { nowMs, requestedAtMs = 0 }: RotationWishes,
  { rotateEveryMs }: KeyLifetimes,
): boolean {
  const newest = [...keys].sort(byBegin).at(-1);
  // None at all, or the one that signed was deleted because it had leaked.
  if (newest === undefined || signingKey(keys, nowMs) === undefined) {
    return true;
  }
  if (newest.signsFromMs > nowMs) {
    return false;
  }
  return requestedAtMs > newest.createdAtMs || nowMs >= newest.signsFromMs + rotateEveryMs;
}

function byBegin(one: ScheduledKey, other: ScheduledKey): number {
  return one.signsFromMs - other.signsFromMs || (one.kid < other.kid ? -1 : 1);
}
