import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleInit,
} from '@nestjs/common';
import { AccessControl, type AccessRequest, Revocations } from '@soma/auth';
import type { ConfigUpdate, Principal } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { ConfigUpdatesReader } from '@soma/messaging';
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
export class StreamWatch
  implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown
{
  readonly #logger = new Logger(StreamWatch.name);
  readonly #streams = new Map<Subscriber, Watched>();
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  #watched = 0;

  constructor(
    @Inject(AccessControl) private readonly access: AccessControl,
    @Inject(Revocations) private readonly revocations: Revocations,
    private readonly updates: ConfigUpdatesReader,
  ) {}

  onModuleInit(): void {
    // After those who keep what was revoked: they began to listen when they were made.
    this.updates.listen((update) => {
      this.#decideOn(
        [...this.#streams].filter(([, { request }]) => concerns(update, request.principal)),
      );
    });
  }

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
    if (this.revocations.isRevoked(watched.request.principal)) {
      subscriber.end('denied');
      return;
    }
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

function concerns({ entity, id, tenant_id }: ConfigUpdate, principal: Principal): boolean {
  const isOfTenant = principal.tenant_id === tenant_id;
  return isOfTenant && (entity === 'relationships' || idsOf(entity, principal).includes(id));
}

/** Under which ids an update of an entity would be about this credential. */
function idsOf(entity: ConfigUpdate['entity'], principal: Principal): string[] {
  const { tenant_id, subject, token_id, api_key_id } = principal;
  switch (entity) {
    case 'principal':
      return [`${tenant_id}:${subject}`, `${tenant_id}:${subject}:${token_id ?? ''}`];
    case 'api_key':
      return [`${tenant_id}:${api_key_id ?? ''}`];
    case 'relationships':
    case 'connection':
      return [];
  }
}
