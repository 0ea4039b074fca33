import { Inject, Injectable } from '@nestjs/common';
import type { Accepted, MessageRequest } from '@soma/contracts';
import { compileOutputSchema } from '@soma/llm';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.ts';
import { type Caller, idempotencyOf } from '../runtime/caller.ts';
import { checkAttachments, checkMetadata } from './message-rules.ts';
import { TurnIntake } from './turn-intake.ts';

/** Takes a message in. */
@Injectable()
export class AcceptMessage {
  constructor(
    private readonly intake: TurnIntake,
    @Inject(GATEWAY_CONFIG) private readonly config: Pick<GatewayConfig, 'STORAGE_BUCKET'>,
  ) {}

  /**
   * Resolves when the message is durable.
   *
   * @throws {@link Problem} 403 `tenant_mismatch`, 409 `session_deleted` or `idempotency_conflict`,
   *   422 for what cannot be used, and what `TurnIntake` throws
   */
  async execute(caller: Caller, request: MessageRequest): Promise<Accepted> {
    const { principal, idempotencyKey } = caller;
    checkMetadata(principal, request.metadata);
    checkAttachments(principal, request.attachments, this.config.STORAGE_BUCKET);
    if (request.output_schema !== undefined) {
      compileOutputSchema(request.output_schema);
    }
    return this.intake.accept({
      principal,
      sessionId: request.session_id,
      personaId: request.persona_id,
      message: request.message,
      attachments: request.attachments,
      metadata: request.metadata,
      outputSchema: request.output_schema,
      mustBecomeOwn: caller.beginsOwn,
      idempotency: idempotencyOf('POST /v1/session/message', request, idempotencyKey),
    });
  }
}
