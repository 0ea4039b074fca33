/*
 * Calls models until one has answered the turn, within limits.
 *
 * A call that fails in a way that may pass is made again, at the next model of the preference. Before
 * its first piece of text that happens in place. After it the text that streams have shown cannot be
 * taken back quietly: the call is made again as a new attempt, whose `assistant.started` row tells
 * every reader to cut back (rule 16).
 */
import { Injectable, Logger } from '@nestjs/common';
import type { RowEvent } from '@soma/contracts';
import { sleep } from '@soma/kernel';
import {
  type Model,
  ModelFailure,
  type ModelFinish,
  type ModelRequest,
  ModelRouter,
} from '@soma/llm';
import { CoalescingProducer } from '@soma/messaging';
import { counter, histogram, traceHeaders } from '@soma/observability';
import { type ClaimedTurn, type ModelCallRecord, type TurnEnding, WriteTurn } from '@soma/sessions';
import { AnswerStream } from './answer-stream.ts';
import { BuildRequest, parametersOf } from './build-request.ts';
import { checkOutput } from './check-output.ts';

/** Calls of one turn in one worker, a repair included. */
const MAX_CALLS = 6;
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

/** A turn in this worker's hands, always under its latest attempt. */
export interface HeldAttempt {
  turn: ClaimedTurn;
}

/** How a call went. */
interface CallOutcome {
  /** The turn's whole text, as far as it came. */
  text: string;
  finish?: ModelFinish;
  failure?: ModelFailure;
  hasStreamed: boolean;
}

/** A turn's end without an answer. */
export function failed(
  code: string,
  message: string,
  metadata: TurnEnding['row']['metadata'] = {},
): TurnEnding {
  return {
    state: 'failed',
    row: { type: 'assistant.error', message, metadata: { ...metadata, code } },
  };
}

/** Gets a turn its answer. */
@Injectable()
export class AnswerTurn {
  private readonly logger = new Logger(AnswerTurn.name);

  constructor(
    private readonly turns: WriteTurn,
    private readonly router: ModelRouter,
    private readonly producer: CoalescingProducer,
    private readonly buildRequest: BuildRequest,
  ) {}

  /**
   * @param held - Its turn moves on to a new attempt where one is needed.
   * @returns How the turn ends; nothing of it is written yet.
   * @throws The signal's reason, `TurnLostError`, or a `Problem` of the message or the persona.
   */
  async execute(held: HeldAttempt, signal: AbortSignal): Promise<TurnEnding> {
    let failure: ModelFailure | undefined;
    for (let call = 0; call < MAX_CALLS; call++) {
      const candidates = this.router.candidates(parametersOf(held.turn));
      const model = candidates[call % candidates.length];
      if (model === undefined) break;
      const request = await this.buildRequest.execute(held.turn, model, signal);
      const outcome = await this.call(held.turn, model, request);
      if (outcome.finish !== undefined) {
        const ending = await this.endingOf(held, { ...outcome, finish: outcome.finish, model });
        if (ending !== null) return ending;
        continue;
      }
      failure = outcome.failure;
      if (failure?.retryable !== true) break;
      await this.prepareNextCall(held, outcome, { call, candidates: candidates.length, signal });
    }
    return failed(
      failure?.code ?? 'no_model',
      failure?.message ?? 'No model could answer. Try again later.',
    );
  }

  private async call(turn: ClaimedTurn, model: Model, request: ModelRequest): Promise<CallOutcome> {
    const headers = traceHeaders();
    const answer = new AnswerStream(turn, keptText(turn), (record) => {
      this.producer.send({ ...record, headers }).catch(() => {
        lostPieces.inc();
      });
    });
    try {
      const finish = await this.read(answer, model, request);
      return { text: answer.text, finish, hasStreamed: answer.hasStreamed };
    } catch (error) {
      if (!(error instanceof ModelFailure)) throw error;
      const { provider, code, upstream } = error;
      this.logger.warn({ integration: provider, code, upstream, message: 'A model call failed.' });
      return { text: answer.text, failure: error, hasStreamed: answer.hasStreamed };
    } finally {
      answer.close();
    }
  }

  private async read(
    answer: AnswerStream,
    model: Model,
    request: ModelRequest,
  ): Promise<ModelFinish> {
    const stopWatch = firstToken.startTimer({ provider: model.provider });
    let isFirst = true;
    for await (const event of this.router.startCall(model, request)) {
      switch (event.type) {
        case 'finish':
          return event;
        case 'thinking':
          answer.think(event.text);
          break;
        case 'text':
          if (isFirst) stopWatch();
          isFirst = false;
          answer.append(event.text);
      }
    }
    throw new Error('A model call ended without its finish.');
  }

  /** Null: the answer was not what was asked for, and is asked for once more. */
  private async endingOf(
    held: HeldAttempt,
    answered: { text: string; finish: ModelFinish; model: Model },
  ): Promise<TurnEnding | null> {
    const { text, finish, model } = answered;
    const call: ModelCallRecord = { outcome: 'finished', model: model.id, usage: finish.usage };
    const output = checkOutput(held.turn, text);
    if (output.kind === 'repair') {
      const step = { text, kept: 0, issues: output.issues };
      held.turn = await this.turns.saveStep(held.turn, step);
      held.turn = await this.turns.restart(held.turn, call);
      return null;
    }
    if (output.kind === 'invalid') {
      const ending = failed(
        'output_invalid',
        'The answer does not have the form that was asked for, also at the second try.',
        { issues: output.issues.map((issue) => ({ ...issue })) },
      );
      return { ...ending, call };
    }
    const metadata = finalMetadata(held.turn, answered);
    if (output.kind === 'valid') metadata['output'] = output.value as JsonValue;
    return { state: 'done', row: { type: 'assistant.final', message: text, metadata }, call };
  }

  private async prepareNextCall(
    held: HeldAttempt,
    { hasStreamed }: CallOutcome,
    { call, candidates, signal }: { call: number; candidates: number; signal: AbortSignal },
  ): Promise<void> {
    if (hasStreamed) {
      held.turn = await this.turns.restart(held.turn, { outcome: 'failed' });
    }
    // Another model is tried at once; only when all have failed is there something to wait for.
    const round = Math.floor((call + 1) / candidates);
    if ((call + 1) % candidates === 0) {
      const pauseMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 4 ** (round - 1));
      await sleepOrStop(pauseMs, signal);
    }
  }
}

type JsonValue = RowEvent['metadata'][string];

/** What an answer says about itself. */
function finalMetadata(
  { request: { action } }: ClaimedTurn,
  { finish, model }: { finish: ModelFinish; model: Model },
): RowEvent['metadata'] {
  return {
    model: model.id,
    finish_reason: finish.finish_reason,
    usage: { ...finish.usage },
    ...(finish.omitted_parameters.length > 0 && {
      omitted_parameters: [...finish.omitted_parameters],
    }),
    ...(action && { action }),
  };
}

/** The text that finished steps have left standing. */
function keptText({ steps }: ClaimedTurn): string {
  return steps.map(({ text, kept }) => text.slice(0, kept)).join('');
}

async function sleepOrStop(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, signal).catch(() => {
    signal.throwIfAborted();
  });
}
