import { Injectable } from '@nestjs/common';
import type { Cancelled, CancelRequest } from '@soma/contracts';
import { rethrowFault } from '@soma/persistence';
import { CancelTurns } from '@soma/sessions';
import { type Caller, idempotencyOf } from '../runtime/caller.ts';

/** Which turn is to end. */
export interface CancelTurnRequest extends CancelRequest {
  session_id: string;
}

/** Ends a turn of a session. */
@Injectable()
export class CancelTurn {
  constructor(private readonly turns: CancelTurns) {}

  /**
   * @throws {@link Problem} 404 `session_not_found` or `turn_not_found`, 409 `turn_ended` or
   *   `idempotency_conflict`
   */
  execute({ principal, idempotencyKey }: Caller, request: CancelTurnRequest): Promise<Cancelled> {
    const { session_id: sessionId, turn_id: turnId } = request;
    return this.turns
      .cancel({
        principal,
        sessionId,
        turnId,
        idempotency: idempotencyOf(`POST /v1/session/${sessionId}/cancel`, request, idempotencyKey),
      })
      .catch(rethrowFault);
  }
}
