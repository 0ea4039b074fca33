import { Problem } from '@soma/kernel';

/** 404, also for a session of another tenant and for a deleted one. */
export function sessionNotFound(sessionId: string): Problem {
  return new Problem({
    status: 404,
    code: 'session_not_found',
    detail: `There is no session "${sessionId}". Begin one with POST /v1/session/message.`,
  });
}

/** 422: the message names a persona that its tenant does not have. */
export function unknownPersona(personaId: string): Problem {
  return new Problem({
    status: 422,
    code: 'persona_not_found',
    detail: `There is no persona "${personaId}". Create it with POST /v1/personas, or name another.`,
    fields: [{ path: 'persona_id', message: 'is not a persona' }],
  });
}

/** 409: an id that was deleted is never used again. */
export function sessionDeleted(sessionId: string): Problem {
  return new Problem({
    status: 409,
    code: 'session_deleted',
    detail: `The session "${sessionId}" was deleted. Begin another one.`,
  });
}

/** 409: nothing is left to cancel. */
export function turnEnded(): Problem {
  return new Problem({
    status: 409,
    code: 'turn_ended',
    detail: 'The turn has ended already, or none is running. There is nothing to cancel.',
  });
}

/** 409: the key was used for another body. */
export function idempotencyConflict(): Problem {
  return new Problem({
    status: 409,
    code: 'idempotency_conflict',
    detail: 'This Idempotency-Key was used with another body. Use a new key for a new request.',
  });
}
