/*
 * Runs one claimed turn to its end: history and persona in, a streamed answer and one last row out.
 * Or until it has to wait for tools; then it is let go of, and a later claim goes on.
 *
 * Whatever goes wrong, the turn ends in exactly one way: answered, failed with a reason, handed back
 * (this worker stops), or left to whoever has it now. Only the database decides which; see
 * `WriteTurn`. A worker that dies in here leaves a turn that the next claim goes on with.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { conversationInbound, sessionKey } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { DeadLetters } from '@soma/messaging';
import { counter, requestIdIn, withLogContext, withSpan } from '@soma/observability';
import {
  type ClaimedTurn,
  type TurnEnding,
  TurnLostError,
  type TurnWait,
  WriteTurn,
} from '@soma/sessions';
import { AnswerTurn } from './answer-turn.ts';
import type { HeldAttempt } from './held-attempt.ts';
import { TurnAborted } from './running-turns.ts';
import { failed } from './turn-endings.ts';
import { TURN_LIMITS, type TurnLimits } from './turn-limits.ts';

/** So many deaths in a row are the turn's own fault (rule 15). */
const DEATHS_TO_FAIL = 3;

const ended = counter({
  name: 'soma_turns_ended_total',
  help: 'Turns that this worker let go of, by how',
  labelNames: ['outcome'],
});

type Outcome = TurnEnding['state'] | 'waiting' | 'handed_back' | 'lost' | 'stray';

/** Runs turns. */
@Injectable()
export class RunTurn {
  private readonly logger = new Logger(RunTurn.name);

  constructor(
    @Inject(TURN_LIMITS) private readonly limits: TurnLimits,
    private readonly turns: WriteTurn,
    private readonly answerTurn: AnswerTurn,
    private readonly deadLetters: DeadLetters,
  ) {}

  /** @param stop - Aborts with a {@link TurnAborted}. Never rejects. */
  execute(turn: ClaimedTurn, stop: AbortSignal): Promise<void> {
    const requestId = requestIdIn(turn.traceHeaders);
    const fields = {
      tenant_id: turn.tenantId,
      session_id: turn.sessionId,
      ...(requestId !== undefined && { request_id: requestId }),
    };
    const span = {
      name: 'turn.run',
      kind: 'consumer' as const,
      attributes: { 'tenant.id': turn.tenantId, 'request.id': requestId },
      causedBy: turn.traceHeaders,
    };
    return withLogContext(fields, () =>
      withSpan(span, async () => {
        ended.inc({ outcome: await this.run({ turn }, stop) });
      }),
    );
  }

  private async run(held: HeldAttempt, stop: AbortSignal): Promise<Outcome> {
    const begun = performance.now();
    try {
      const next = await this.nextOf(held, stop);
      if ('state' in next) {
        await this.turns.end(held.turn, next);
        return next.state;
      }
      const leftMs = this.leftOf(held.turn) - (performance.now() - begun);
      await this.turns.wait(held.turn, within(next, leftMs));
      return 'waiting';
    } catch (error) {
      return this.letGo(held.turn, error).catch((failure: unknown) => {
        // It still runs in this worker's name, so a later heartbeat hands it back.
        this.logger.error({ error: failure, message: 'A turn could not be let go of.' });
        return 'stray' as const;
      });
    }
  }

  private async nextOf(held: HeldAttempt, stop: AbortSignal): Promise<TurnEnding | TurnWait> {
    if (held.turn.deaths >= DEATHS_TO_FAIL) {
      return this.buryDead(held.turn);
    }
    const expiry = new AbortController();
    const timer = setTimeout(() => {
      expiry.abort(new TurnAborted('expired'));
    }, this.leftOf(held.turn));
    try {
      return await this.answerTurn.execute(held, AbortSignal.any([stop, expiry.signal]));
    } finally {
      clearTimeout(timer);
    }
  }

  /** How much longer a turn that has just been claimed may live. */
  private leftOf({ ageMs }: ClaimedTurn): number {
    return Math.max(0, this.limits.TURN_MAX_AGE_MS - ageMs);
  }

  /** The letter goes first: should this worker die in between, the next one writes another. */
  private async buryDead({ request, deaths }: ClaimedTurn): Promise<TurnEnding> {
    await this.deadLetters.put({
      topic: conversationInbound.name,
      key: sessionKey(request),
      value: JSON.stringify({ ...request, schema: conversationInbound.version }),
      error: new Error(`${deaths} workers in a row died while they ran this turn.`),
      retries: deaths,
    });
    return failed('turn_died', 'The answer failed several times. Try again with another message.');
  }

  private async letGo(turn: ClaimedTurn, error: unknown): Promise<Outcome> {
    if (error instanceof TurnAborted && error.reason === 'stopping') {
      await this.turns.bookLostCall(turn);
      await this.turns.handBack(turn);
      return 'handed_back';
    }
    if (
      error instanceof TurnLostError ||
      (error instanceof TurnAborted && error.reason === 'lost')
    ) {
      await this.turns.bookLostCall(turn);
      return 'lost';
    }
    await this.turns.end(turn, this.failureOf(error));
    return 'failed';
  }

  private failureOf(error: unknown): TurnEnding {
    if (error instanceof TurnAborted) {
      return failed('turn_expired', 'The answer took too long and was given up. Try again.');
    }
    if (error instanceof Problem) {
      return failed(error.code, error.message);
    }
    this.logger.error({ error, message: 'A turn failed by a defect.' });
    return failed('internal_error', 'The answer failed for a reason of our own. Try again.');
  }
}

/** No call is waited for longer than its turn may live. */
function within(wait: TurnWait, leftMs: number): TurnWait {
  const calls = wait.calls.map((call) => ({
    ...call,
    timeoutMs: Math.max(0, Math.min(call.timeoutMs, leftMs)),
  }));
  return { ...wait, calls };
}
