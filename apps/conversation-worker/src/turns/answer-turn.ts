/*
 * Calls models until one has answered the turn, within limits.
 *
 * A call that fails in a way that may pass is made again, at the next model of the preference. Before
 * its first piece of text that happens in place. After it the text that streams have shown cannot be
 * taken back quietly: the call is made again as a new attempt, whose `assistant.started` row tells
 * every reader to cut back (rule 16).
 */
import { Injectable, Logger } from '@nestjs/common';
import { type FieldProblem, sleep } from '@soma/kernel';
import {
  type Model,
  ModelFailure,
  type ModelFinish,
  type ModelRequest,
  ModelRouter,
  type ModelToolCall,
} from '@soma/llm';
import { CoalescingProducer } from '@soma/messaging';
import { counter, histogram, traceHeaders } from '@soma/observability';
import {
  type AwaitedCall,
  type ClaimedTurn,
  isAnswer,
  type ModelCallRecord,
  type TurnEnding,
  type TurnWait,
  WriteTurn,
} from '@soma/sessions';
import { OfferedTools } from '../tools/offered-tools.ts';
import { countToolSteps, toAwaitedCalls } from '../tools/tool-steps.ts';
import { AnswerStream } from './answer-stream.ts';
import { BuildRequest, parametersOf } from './build-request.ts';
import { checkOutput } from './check-output.ts';
import type { HeldAttempt } from './held-attempt.ts';
import { answered, endless, failed, invalidOutput } from './turn-endings.ts';

/** Calls of one turn in one worker, a repair included. */
const MAX_CALLS = 6;
/** How often a turn may ask for tools: a model that never comes to an end is stopped by it. */
const MAX_TOOL_STEPS = 24;
const FIRST_PAUSE_MS = 200;
const MAX_PAUSE_MS = 10_000;

const firstToken = histogram({
  name: 'soma_first_token_seconds',
  help: 'Time from a claim to the first text of the model',
  labelNames: ['provider'],
});

const lostPieces = counter({
  name: 'soma_answer_pieces_lost_total',
  help: 'Pieces of answers that Kafka did not take; readers get them by the next whole text',
});

/** How a call went: the turn's whole text with its finish, or why there is none. */
type CallOutcome =
  | {
      kind: 'answered';
      text: string;
      /** What the model asks for before it goes on. */
      calls: AwaitedCall[];
      finish: ModelFinish;
      model: Model;
    }
  | { kind: 'failed'; failure: ModelFailure; hasStreamed: boolean };

/** Gets a turn its answer. */
@Injectable()
export class AnswerTurn {
  private readonly logger = new Logger(AnswerTurn.name);

  constructor(
    private readonly turns: WriteTurn,
    private readonly router: ModelRouter,
    private readonly producer: CoalescingProducer,
    private readonly buildRequest: BuildRequest,
    private readonly offered: OfferedTools,
  ) {}

  /**
   * @param held - Its turn moves on to a new attempt where one is needed.
   * @returns How the turn ends, or what it waits for; nothing of it is written yet.
   * @throws The signal's reason, `TurnLostError`, or a `Problem` of the message or the persona.
   */
  async execute(held: HeldAttempt, signal: AbortSignal): Promise<TurnEnding | TurnWait> {
    for (let call = 1; ; call++) {
      const candidates = this.router.candidates(parametersOf(held.turn));
      const outcome = await this.call(held, candidates[(call - 1) % candidates.length], signal);
      const next =
        outcome.kind === 'answered'
          ? await this.finish(held, outcome)
          : await this.recover(held, outcome, { call, candidates: candidates.length, signal });
      if (next !== null) return next;
    }
  }

  private async call(
    held: HeldAttempt,
    model: Model | undefined,
    signal: AbortSignal,
  ): Promise<CallOutcome> {
    if (model === undefined) throw new Error('There is always a model: the extractive one.');
    const request = await this.buildRequest.execute(held, model, signal);
    const { turn } = held;
    const headers = traceHeaders();
    const answer = new AnswerStream(turn, keptText(turn), (record) => {
      this.producer.send({ ...record, headers }).catch(() => {
        lostPieces.inc();
      });
    });
    try {
      const { finish, wishes } = await this.read(answer, model, request);
      const calls = toAwaitedCalls(wishes, this.offered.of(turn));
      if (calls === null) throw madeUpTool(model);
      return { kind: 'answered', text: answer.text, calls, finish, model };
    } catch (error) {
      if (!(error instanceof ModelFailure)) throw error;
      const { provider, code, upstream } = error;
      this.logger.warn({ integration: provider, code, upstream, message: 'A model call failed.' });
      return { kind: 'failed', failure: error, hasStreamed: answer.hasStreamed };
    } finally {
      answer.close();
    }
  }

  private async read(
    answer: AnswerStream,
    model: Model,
    request: ModelRequest,
  ): Promise<{ finish: ModelFinish; wishes: ModelToolCall[] }> {
    const stopWatch = firstToken.startTimer({ provider: model.provider });
    const wishes: ModelToolCall[] = [];
    for await (const event of this.router.startCall(model, request)) {
      switch (event.type) {
        case 'finish':
          return { finish: event, wishes };
        case 'tool_call':
          wishes.push(event.call);
          break;
        case 'thinking':
          answer.think(event.text);
          break;
        case 'text':
          answer.append(event.text, stopWatch);
      }
    }
    throw new Error('A model call ended without its finish.');
  }

  /** Null: the answer is not what was asked for, and the model is called once more. */
  private async finish(
    held: HeldAttempt,
    outcome: CallOutcome & { kind: 'answered' },
  ): Promise<TurnEnding | TurnWait | null> {
    const { text, calls, finish, model } = outcome;
    const call: ModelCallRecord = { outcome: 'finished', model: model.id, usage: finish.usage };
    if (calls.length > 0) {
      return countToolSteps(held.turn) < MAX_TOOL_STEPS
        ? { text, calls, call }
        : endless(MAX_TOOL_STEPS, call);
    }
    // What was said before tools were asked is not part of the output.
    const said = text.slice(held.turn.keep);
    const output = checkOutput(held.turn, said);
    switch (output.kind) {
      case 'repair':
        await this.repair(held, { text: said, issues: output.issues, call });
        return null;
      case 'invalid':
        return invalidOutput(output.issues, call);
      case 'free':
      case 'valid':
        return { ...answered(held.turn, outcome, output), call };
    }
  }

  /** Keeps the answer and what is wrong with it, so that the repair survives this worker. */
  private async repair(
    held: HeldAttempt,
    { text, issues, call }: { text: string; issues: FieldProblem[]; call: ModelCallRecord },
  ): Promise<void> {
    held.turn = await this.turns.saveStep(held.turn, { text, kept: 0, issues });
    held.turn = await this.turns.restart(held.turn, call);
  }

  /** Null: after what had to be done, and a pause, the next model is called. */
  private async recover(
    held: HeldAttempt,
    { failure, hasStreamed }: CallOutcome & { kind: 'failed' },
    { call, candidates, signal }: { call: number; candidates: number; signal: AbortSignal },
  ): Promise<TurnEnding | null> {
    if (!failure.retryable || call === MAX_CALLS) {
      return failed(failure.code, failure.message);
    }
    if (hasStreamed) {
      held.turn = await this.turns.restart(held.turn, { outcome: 'failed' });
    }
    // Another model is tried at once; only when all have failed is there something to wait for.
    if (call % candidates === 0) {
      const pauseMs = FIRST_PAUSE_MS * 4 ** (call / candidates - 1);
      await sleepOrStop(failure.retryAfterMs ?? pauseMs, signal);
    }
    return null;
  }
}

/** Worth another call, for what a model makes up depends on chance. */
function madeUpTool({ provider }: Model): Error {
  return provider === 'local'
    ? new Error('The extractive model calls no tools.')
    : new ModelFailure({ provider, code: 'answer_malformed' });
}

/** The text that finished steps have left standing. */
function keptText({ steps }: ClaimedTurn): string {
  return steps
    .filter(isAnswer)
    .map(({ text, kept }) => text.slice(0, kept))
    .join('');
}

async function sleepOrStop(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(Math.min(ms, MAX_PAUSE_MS), signal).catch(() => {
    signal.throwIfAborted();
  });
}
