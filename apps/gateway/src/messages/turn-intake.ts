import { Injectable } from '@nestjs/common';
import type { Accepted } from '@soma/contracts';
import { type AcceptRequest, AcceptTurns } from '@soma/sessions';
import { rethrowFault } from '../runtime/faults.ts';
import { SessionMeta } from '../session-meta/session-meta.ts';
import { OutboxGate } from './outbox-gate.ts';

/** The one way in for whatever opens a turn. */
@Injectable()
export class TurnIntake {
  constructor(
    private readonly outbox: OutboxGate,
    private readonly turns: AcceptTurns,
    private readonly sessionMeta: SessionMeta,
  ) {}

  /**
   * Resolves when the turn is durable.
   *
   * @throws {@link Problem} 502 `outbox_full`, 503 `database_unavailable` or `overloaded`, and what
   *   `AcceptTurns` throws
   */
  async accept(request: AcceptRequest): Promise<Accepted> {
    this.outbox.check();
    const accepted = await this.turns.accept(request).catch(rethrowFault);
    this.sessionMeta.remember({
      tenantId: request.principal.tenant_id,
      sessionId: accepted.session_id,
      personaId: request.personaId,
      cursor: accepted.cursor,
    });
    return accepted;
  }
}
