import { Injectable } from '@nestjs/common';
import type { RowEvent } from '@soma/contracts';
import { AcceptTurns, bodyHash, Timeline } from '@soma/sessions';

/** Has the message of a dead letter answered after all, when somebody replays the letter. */
@Injectable()
export class ReplayTurn {
  constructor(
    private readonly timeline: Timeline,
    private readonly accept: AcceptTurns,
  ) {}

  /**
   * A turn that has failed stays failed: its message is accepted once more, as a new turn. A letter
   * opens one turn at most, however often it is sent. Any other turn is on its way already.
   *
   * @throws {@link Problem} 409 `session_deleted`
   */
  async execute(message: RowEvent, letterId: string): Promise<void> {
    const tenantId = message.tenant_id;
    if ((await this.timeline.turnState(tenantId, message)) !== 'failed') {
      return;
    }
    await this.accept.accept({
      principal: { subject: message.principal.subject, tenant_id: tenantId, scopes: [] },
      sessionId: message.session_id,
      personaId: message.persona_id ?? undefined,
      message: message.message,
      attachments: message.attachments,
      metadata: message.metadata,
      action: message.action,
      outputSchema: message.output_schema,
      mustExist: true,
      idempotency: {
        operation: 'replay of a dead letter',
        key: letterId,
        bodyHash: bodyHash(message.event_id),
      },
    });
  }
}
