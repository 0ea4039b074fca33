import { Logger } from '@nestjs/common';
import { type ClientFrame, clientFrame, type ServerReply } from '@soma/contracts';
import { type Exchanges, noteTenant, parseStrictJson, toFieldProblems } from '@soma/http';
import { newIdentifier, Problem } from '@soma/kernel';
import type { TraceHeaders } from '@soma/observability';
import { Frame } from './frame.ts';
import type { FrameSender, SessionCommands } from './session-commands.ts';
import type { Subscriber } from './subscriber.ts';

type ProblemReply = Extract<ServerReply, { type: 'reply.problem' }>;

/** Whose frames they are, and how they are carried out. */
export interface ClientFramesOptions {
  sender: FrameSender;
  subscriber: Subscriber;
  commands: SessionCommands;
  exchanges: Exchanges;
  trace: TraceHeaders;
}

/** What a frame is answered, and the status that the same request has over HTTP. */
interface Answer {
  reply: ServerReply;
  status: number;
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
    this.#last = this.#last.then(() => this.#observe(this.#read(text)));
  }

  #read(text: string): ClientFrame | Problem {
    try {
      return readFrame(text);
    } catch (error) {
      return this.#toProblem(error);
    }
  }

  /** Each frame is logged, measured and traced like the request that it stands for. */
  #observe(frame: ClientFrame | Problem): Promise<void> {
    const { exchanges, subscriber, trace } = this.#options;
    const [id, route] =
      frame instanceof Problem ? [undefined, 'unknown'] : [frame.request_id, frame.type];
    const asked = { id: id ?? newIdentifier(), method: 'FRAME', route, headers: trace };
    return exchanges.observe(asked, async () => {
      const { reply, status } = await this.#answer(frame);
      this.#waiting -= 1;
      subscriber.send(new Frame(reply.type, JSON.stringify(reply), null));
      return status;
    });
  }

  async #answer(frame: ClientFrame | Problem): Promise<Answer> {
    if (frame instanceof Problem) {
      return refusal(frame, null);
    }
    const { sender, commands } = this.#options;
    noteTenant(sender.principal.tenant_id);
    try {
      const reply = await commands.execute(sender, frame);
      return { reply, status: reply.type === 'reply.accepted' ? 202 : 200 };
    } catch (error) {
      return refusal(this.#toProblem(error), frame.request_id ?? null);
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

function refusal(problem: Problem, requestId: string | null): Answer {
  const reply: ProblemReply = {
    type: 'reply.problem',
    request_id: requestId,
    // It is JSON, which an interface cannot say.
    problem: problem.toJSON() as unknown as ProblemReply['problem'],
  };
  return { reply, status: problem.status };
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
