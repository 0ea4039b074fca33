/*
 * Accept: a message becomes the last row of its session and a pending turn, or nothing at all.
 *
 * Concurrent accepts share a transaction. Its locks are taken in one order everywhere, or two pods
 * that batch the same sessions would deadlock: tenants sorted; within a tenant idempotency keys
 * sorted, then sessions sorted. The session's lock is held to the commit, so the order of `seq` is
 * the order of commits, and no `seq` is ever skipped (P2).
 *
 * `event_id` is fixed before the first try. Where a commit's outcome is unknown, the repeat looks
 * for it under the session's lock and answers what is there (P1, P3).
 */
import { Injectable } from '@nestjs/common';
import type { Accepted, Principal, RowEvent } from '@soma/contracts';
import { newIdentifier } from '@soma/kernel';
import { GroupCommit, TenantTransaction } from '@soma/persistence';
import { AcceptBatch } from './accept-batch.ts';
import type { NewTurn } from './accept-statements.ts';
import type { Idempotency } from './idempotency.ts';
import { RowAnnouncer } from './row-announcer.ts';

/** Items that share one transaction at most. */
const MAX_BATCH = 256;
/** Transactions at once: one commits while the next fills. */
const MAX_PARALLEL = 2;
/** Items that may wait. Each is an open request, whose body is 1 MiB at most. */
const MAX_WAITING = 10_000;

/** A message, or a quick action, that opens a turn. */
export interface AcceptRequest {
  principal: Principal;
  /** Omitted: a new session. */
  sessionId?: string | undefined;
  personaId?: string | undefined;
  message: string;
  attachments?: string[] | undefined;
  metadata?: RowEvent['metadata'] | undefined;
  action?: RowEvent['action'];
  outputSchema?: RowEvent['output_schema'];
  /** Whether an unknown session is refused instead of made. */
  mustExist?: boolean;
  /**
   * Whether the session must turn out to be the principal's: there was none when they were let in,
   * and somebody else may begin it at the same moment.
   */
  mustBecomeOwn?: boolean;
  idempotency?: Idempotency | undefined;
  /** W3C headers of the request's trace, which the turn goes on with. */
  traceHeaders?: Record<string, string>;
}

/** Takes messages in. */
@Injectable()
export class AcceptTurns {
  readonly #commits: GroupCommit<NewTurn, Accepted>;

  constructor(
    private readonly transaction: TenantTransaction,
    private readonly announcer: RowAnnouncer,
  ) {
    this.#commits = new GroupCommit({
      commit: (items, isRepeat) => this.#commit(items, isRepeat),
      maxBatch: MAX_BATCH,
      maxParallel: MAX_PARALLEL,
      maxWaiting: MAX_WAITING,
    });
  }

  /** How many requests wait for a transaction. */
  get waiting(): number {
    return this.#commits.waiting;
  }

  /**
   * Resolves when the message is durable. A repeat with the same idempotency key resolves to the
   * first answer.
   *
   * @throws {@link Problem} 404 `session_not_found`, 409 `session_deleted`,
   *   409 `idempotency_conflict`, 422 `persona_not_found`
   */
  accept(request: AcceptRequest): Promise<Accepted> {
    return this.#commits.submit(toNewTurn(request));
  }

  async #commit(items: NewTurn[], isRepeat: boolean): Promise<(Accepted | Error)[]> {
    const byTenant = Map.groupBy(items, ({ tenantId }) => tenantId);
    const results = new Map<NewTurn, Accepted | Error>();
    const rows = await this.transaction.runEach(
      [...byTenant.keys()].sort(),
      async (manager, tenantId, write) => {
        const batch = new AcceptBatch(manager, write, tenantId);
        const written = await batch.store(byTenant.get(tenantId) ?? [], isRepeat);
        batch.results.forEach((result, item) => results.set(item, result));
        return written;
      },
    );
    this.announcer.publish(rows.flat());
    return items.map((item) => results.get(item) ?? new Error('A message got no answer.'));
  }
}

function toNewTurn(request: AcceptRequest): NewTurn {
  const { principal, idempotency, sessionId = newIdentifier() } = request;
  const { subject } = principal;
  return {
    tenantId: principal.tenant_id,
    sessionId,
    subject,
    eventId: newIdentifier(),
    personaId: request.personaId ?? null,
    content: contentOf(request),
    mustExist: request.mustExist ?? false,
    mustBecomeOwn: request.mustBecomeOwn ?? false,
    traceHeaders: request.traceHeaders ?? {},
    key: idempotency === undefined ? null : { ...idempotency, subject, sessionId },
  };
}

/** What is absent stays absent on the wire. */
function contentOf(request: AcceptRequest): NewTurn['content'] {
  const { message, attachments, action, outputSchema, metadata = {} } = request;
  return {
    message,
    ...(attachments && { attachments }),
    metadata,
    ...(action && { action }),
    ...(outputSchema && { output_schema: outputSchema }),
  };
}
