import { Logger } from '@nestjs/common';
import { type ClientFrame, clientFrame, type ServerReply } from '@soma/contracts';
import { parseStrictJson, toFieldProblems } from '@soma/http';
import { Problem } from '@soma/kernel';
import { Frame } from './frame.ts';
import type { FrameSender, SessionCommands } from './session-commands.ts';
import type { Subscriber } from './subscriber.ts';

type ProblemReply = Extract<ServerReply, { type: 'reply.problem' }>;

/** Whose frames they are, and how they are carried out. */
export interface ClientFramesOptions {
  sender: FrameSender;
  subscriber: Subscriber;
  commands: SessionCommands;
}

/** Answers the frames of one client, one after the other: their order is the order of their effect. */
export class ClientFrames {
  readonly #logger = new Logger(ClientFrames.name);
  readonly #options: ClientFramesOptions;
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(options: ClientFramesOptions) {
    this.#options = options;
  }

  /** How many frames have no answer yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Takes a frame. Whatever is wrong with it is said in a reply: the stream goes on. */
  take(text: string): void {
    this.#waiting += 1;
    this.#last = this.#last.then(async () => {
      const reply = await this.#answer(text);
      this.#waiting -= 1;
      this.#options.subscriber.send(new Frame(reply.type, JSON.stringify(reply), null));
    });
  }

  async #answer(text: string): Promise<ServerReply> {
    const { sender, commands } = this.#options;
    let frame: ClientFrame | undefined;
    try {
      frame = readFrame(text);
      return await commands.execute(sender, frame);
    } catch (error) {
      const problem = this.#toProblem(error);
      return {
        type: 'reply.problem',
        request_id: frame?.request_id ?? null,
        // It is JSON, which an interface cannot say.
        problem: problem.toJSON() as unknown as ProblemReply['problem'],
      };
    }
  }

  #toProblem(error: unknown): Problem {
    if (error instanceof Problem) {
      return error;
    }
    this.#logger.error({ error, message: "A client's frame could not be carried out." });
    return new Problem({
      status: 500,
      code: 'internal_error',
      detail: 'The service failed. Try again with the same idempotency_key.',
    });
  }
}

function readFrame(text: string): ClientFrame {
  const { success, data, error } = clientFrame.safeParse(parseStrictJson(text));
  if (!success) {
    throw new Problem({
      status: 400,
      code: 'invalid_request',
      detail: 'The frame is not in the expected form. Correct the listed fields and send it again.',
      fields: toFieldProblems(error.issues),
    });
  }
  return data;
}
