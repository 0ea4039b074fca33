import type { ClaimedTurn } from '@soma/sessions';

/** A turn in this worker's hands, always as it stands after the last write of it. */
export interface HeldAttempt {
  turn: ClaimedTurn;
}
