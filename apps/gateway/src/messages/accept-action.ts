import { Injectable } from '@nestjs/common';
import { type Accepted, type ActionRequest, type QuickAction, quickAction } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { type Caller, idempotencyOf } from '../runtime/caller.ts';
import { checkMetadata } from './message-rules.ts';
import { TurnIntake } from './turn-intake.ts';

/** What an action asks for, as the message that readers of the timeline see. */
const MESSAGES: Record<QuickAction, string> = {
  summarize: 'Summarize this conversation.',
  next_steps: 'List the next steps that follow from this conversation.',
  status_report: 'Write a status report of what this conversation is about.',
};

/** Takes a quick action on a session's timeline in. */
@Injectable()
export class AcceptAction {
  constructor(private readonly intake: TurnIntake) {}

  /**
   * Resolves when the action is durable.
   *
   * @throws {@link Problem} 403 `tenant_mismatch`, 404 `session_not_found`, 409 `session_deleted` or
   *   `idempotency_conflict`, 422 `unknown_action` or `reserved_metadata`, and what `TurnIntake`
   *   throws
   */
  async execute({ principal, idempotencyKey }: Caller, request: ActionRequest): Promise<Accepted> {
    const action = knownAction(request.action);
    checkMetadata(principal, request.metadata);
    return this.intake.accept({
      principal,
      sessionId: request.session_id,
      personaId: request.persona_id,
      message: MESSAGES[action],
      metadata: { ...request.metadata, action },
      action,
      mustExist: true,
      idempotency: idempotencyOf('POST /v1/session/action', request, idempotencyKey),
    });
  }
}

function knownAction(name: string): QuickAction {
  const { success, data } = quickAction.safeParse(name);
  if (!success) {
    const names = quickAction.options.join(', ');
    throw new Problem({
      status: 422,
      code: 'unknown_action',
      detail: `There is no such action. Ask for one of: ${names}.`,
      fields: [{ path: 'action', message: `must be one of ${names}` }],
    });
  }
  return data;
}
