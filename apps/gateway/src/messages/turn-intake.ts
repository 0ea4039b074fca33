import { Injectable } from '@nestjs/common';
import type { Accepted } from '@soma/contracts';
import { noteSession } from '@soma/http';
import { gauge, traceHeaders } from '@soma/observability';
import { rethrowFault } from '@soma/persistence';
import { type AcceptRequest, AcceptTurns } from '@soma/sessions';
import { SessionMeta } from '../session-meta/session-meta.ts';
import { OutboxGate } from './outbox-gate.ts';

/** The one way in for whatever opens a turn. */
@Injectable()
export class TurnIntake {
  constructor(
    private readonly outbox: OutboxGate,
    private readonly turns: AcceptTurns,
    private readonly sessionMeta: SessionMeta,
  ) {
    gauge({
      name: 'soma_accepts_waiting',
      help: 'Messages that wait for a transaction.',
      collect() {
        this.set(turns.waiting);
      },
    });
  }

  /**
   * Resolves when the turn is durable.
   *
   * @throws {@link Problem} 502 `outbox_full`, 503 `database_unavailable` or `overloaded`, and what
   *   `AcceptTurns` throws
   */
  async accept(request: Omit<AcceptRequest, 'traceHeaders'>): Promise<Accepted> {
    this.outbox.check();
    const traced = { ...request, traceHeaders: traceHeaders() };
    const accepted = await this.turns.accept(traced).catch(rethrowFault);
    noteSession(accepted.session_id);
    this.sessionMeta.remember({
      tenantId: request.principal.tenant_id,
      sessionId: accepted.session_id,
      personaId: request.personaId,
      cursor: accepted.cursor,
    });
    return accepted;
  }
}
