import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { AccessControl, type AccessRequest } from '@soma/auth';
import type { Principal } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import type { Subscriber } from './subscriber.ts';

const TICK_MS = 1_000;
/** Each stream is looked at once in so many ticks, and they take turns. */
const TICKS = 15;
/** How many streams are decided on at once. */
const MAX_PARALLEL = 32;
/** So long a stream goes on while nobody can say whether it may. */
const MAX_UNDECIDED_MS = 60_000;

interface Watched {
  request: AccessRequest;
  turn: number;
  decidedAt: number;
}

/**
 * Keeps asking whether the streams that are open may still be: at once where something is heard that
 * concerns their principal, and otherwise every fifteen seconds.
 *
 * That a stream was allowed holds while the engines are away, but not for long: new streams are
 * refused meanwhile, and old ones end after a minute.
 */
@Injectable()
export class StreamWatch implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #logger = new Logger(StreamWatch.name);
  readonly #streams = new Map<Subscriber, Watched>();
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  #watched = 0;

  constructor(@Inject(AccessControl) private readonly access: AccessControl) {}

  onApplicationBootstrap(): void {
    this.#timer = setInterval(() => {
      const turn = this.#ticks++ % TICKS;
      this.#decideOn([...this.#streams].filter(([, watched]) => watched.turn === turn));
    }, TICK_MS);
    this.#timer.unref();
  }

  beforeApplicationShutdown(): void {
    clearInterval(this.#timer);
  }

  /** From now on the stream ends when what let it in no longer holds. */
  watch(subscriber: Subscriber, request: AccessRequest): void {
    const turn = this.#watched++ % TICKS;
    this.#streams.set(subscriber, { request, turn, decidedAt: performance.now() });
  }

  forget(subscriber: Subscriber): void {
    this.#streams.delete(subscriber);
  }

  /** Decides at once on the streams of those whom a change concerns. */
  recheck(concerns: (principal: Principal) => boolean): void {
    this.#decideOn([...this.#streams].filter(([, { request }]) => concerns(request.principal)));
  }

  #decideOn(streams: [Subscriber, Watched][]): void {
    const decideOnNext = async (): Promise<void> => {
      for (let next = streams.pop(); next !== undefined; next = streams.pop()) {
        await this.#decide(...next);
      }
    };
    const lanes = Array.from({ length: MAX_PARALLEL }, decideOnNext);
    Promise.all(lanes).catch((error: unknown) => {
      this.#logger.error({ error, message: 'Open streams could not be decided on.' });
    });
  }

  async #decide(subscriber: Subscriber, watched: Watched): Promise<void> {
    try {
      await this.access.authorize(watched.request);
      watched.decidedAt = performance.now();
    } catch (error) {
      if (error instanceof Problem && error.status < 500) {
        subscriber.end('denied');
      } else if (performance.now() - watched.decidedAt > MAX_UNDECIDED_MS) {
        subscriber.end('failed');
      }
    }
  }
}
