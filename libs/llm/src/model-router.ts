import { type Breaker, type BreakerOptions, createBreaker, TransientError } from '@soma/kernel';
import { answerExtractively } from './extractive/extractive-model.ts';
import { extendPoints } from './extractive/tasks.ts';
import { type SummaryContext, summaryParts, summaryRequest } from './history.ts';
import { configuredModel, type Model, namedModel, toModel } from './model-catalog.ts';
import { type KeySource, type ProviderAccess, tenantAccess } from './key-source.ts';
import { ModelFailure, toModelFailure } from './model-failure.ts';
import type {
  ModelEvent,
  ModelMessage,
  ModelParameters,
  ModelRequest,
  ModelUsage,
} from './model-request.ts';
import { cardOf, currentModel, isRetired, type KeyedProviderName } from './models.ts';
import { checkParameters, parametersFor } from './parameters.ts';
import { callProvider, type ProviderCall } from './provider-call.ts';
import { openProviders, type Provider } from './providers.ts';
import type { LlmSettings } from './settings.ts';

/** What a router needs from its app. */
export interface ModelRouterOptions {
  /** Hears, once for each, of a default model that had to be replaced. */
  warn?: (message: string) => void;
  /** Where tenants keep their own keys. Default: nowhere. */
  keys?: KeySource | null;
  /** Hears of every provider's breaker that opens or closes. */
  onCircuitState?: NonNullable<BreakerOptions['onState']>;
  now?: () => Date;
}

/** A summary, and what the calls that made it have used: none where no model was asked. */
interface Summary {
  text: string;
  /** The one that those calls were made to. */
  model: string;
  usages: readonly ModelUsage[];
}

const MAX_SUMMARY_LENGTH = 8_000;

/** Chooses models and calls them. What to do when a call fails is its caller's decision. */
export class ModelRouter {
  readonly #settings: LlmSettings;
  readonly #providers: ReadonlyMap<KeyedProviderName, Provider>;
  readonly #breakers: ReadonlyMap<KeyedProviderName, Breaker>;
  readonly #warned = new Set<string>();
  readonly #warn: (message: string) => void;
  readonly #now: () => Date;
  readonly #keys: KeySource | null;

  constructor(settings: LlmSettings, options: ModelRouterOptions = {}) {
    this.#settings = settings;
    this.#providers = openProviders(settings);
    const { onCircuitState: onState = () => undefined } = options;
    this.#breakers = new Map(
      [...this.#providers.keys()].map((name) => [
        name,
        createBreaker({ name, isFailure, onState }),
      ]),
    );
    this.#warn = options.warn ?? (() => undefined);
    this.#now = options.now ?? (() => new Date());
    this.#keys = options.keys ?? null;
  }

  /** One breaker for each provider that has a key, for health and metrics. */
  get breakers(): readonly Breaker[] {
    return [...this.#breakers.values()];
  }

  /**
   * The models that may answer a request, the preferred one first: the one it names, else the
   * default of every provider that has a key, else the extractive one.
   *
   * A provider that is being tried again after failures comes last. One that is left alone keeps
   * its place: a call to it fails at once, unless it is time to try it.
   *
   * @throws A `Problem` 422 when the named model cannot answer, or not with these parameters.
   */
  candidates(request: ModelParameters & { model?: string | undefined }): Model[] {
    if (request.model !== undefined) {
      const model = namedModel(this.#settings, request.model, this.#now());
      checkParameters(model, request);
      return [model];
    }
    const names = [...this.#providers.keys()];
    const onTrial = (name: KeyedProviderName) => this.#breakers.get(name)?.state === 'half_open';
    const ordered = [...names.filter((name) => !onTrial(name)), ...names.filter(onTrial)];
    return ordered.length > 0
      ? ordered.map((name) => this.#defaultModel(name))
      : [toModel(cardOf('local', 'extractive'))];
  }

  /**
   * Calls a model. Pieces of text and thinking come as they arrive, and one `finish` at the end.
   *
   * Stopping to read, or the request's signal, ends the call at the provider too.
   *
   * @throws {@link ModelFailure} that says whether another try may help, or the signal's reason.
   */
  startCall(model: Model, request: ModelRequest): AsyncGenerator<ModelEvent> {
    if (model.provider === 'local') {
      return answerExtractively(request);
    }
    const provider = this.#providers.get(model.provider);
    if (!provider) {
      throw new ModelFailure({ provider: model.provider, code: 'key_refused' });
    }
    return this.#call({ ...model, provider: model.provider }, provider, request);
  }

  /**
   * A tenant's own access has no part in the breaker: its key and its address are the tenant's, and
   * must not have others left alone.
   */
  async *#call(
    model: Model & { provider: KeyedProviderName },
    provider: Provider,
    request: ModelRequest,
  ): AsyncGenerator<ModelEvent> {
    const own = await this.#ownAccess(model.provider, provider, request);
    const access = own ?? provider.access;
    if (access === undefined) {
      throw new ModelFailure({ provider: model.provider, code: 'key_missing' });
    }
    const maxTokens = request.maxTokens ?? provider.defaultMaxTokens;
    const call: ProviderCall = {
      provider: model.provider,
      key: access.key,
      card: model,
      model: provider.model(model.name, access),
      request,
      sent: parametersFor(model, { ...request, maxTokens }),
      idleLimitMs: this.#settings.MODEL_IDLE_LIMIT_MS,
    };
    const breaker = own === undefined ? this.#breakers.get(model.provider) : undefined;
    yield* breaker === undefined ? callProvider(call) : guarded(breaker, call);
  }

  async #ownAccess(
    provider: KeyedProviderName,
    { connectionName }: Provider,
    { tenantId }: ModelRequest,
  ): Promise<ProviderAccess | undefined> {
    return this.#keys === null || tenantId === undefined || connectionName === undefined
      ? undefined
      : tenantAccess(this.#keys, { provider, tenantId, connectionName });
  }

  /**
   * Summarises messages that no longer fit: by the SLM's small model where it has a key, else, and
   * where that fails, by picking the sentences that matter most.
   *
   * @throws The signal's reason; nothing else keeps a turn from going on.
   */
  async summarise(messages: readonly ModelMessage[], context: SummaryContext): Promise<Summary> {
    const usages: ModelUsage[] = [];
    const model = toModel(cardOf('slm', this.#settings.SLM_UTILITY_MODEL));
    let text = context.earlier;
    try {
      const parts = this.#providers.has('slm') ? summaryParts(model, messages) : [];
      for (const part of parts) {
        const request = summaryRequest(part, { ...context, earlier: text });
        const answer = await readWhole(this.startCall(model, request));
        usages.push(...answer.usages);
        ({ text } = answer);
      }
      if (usages.length > 0) return { text: bounded(text ?? ''), model: model.id, usages };
    } catch (error) {
      context.signal.throwIfAborted();
      if (!(error instanceof ModelFailure)) {
        throw error;
      }
    }
    return { text: bounded(extendPoints(messages, context.earlier)), model: model.id, usages };
  }

  #defaultModel(provider: KeyedProviderName): Model {
    const configured = configuredModel(this.#settings, provider);
    const current = toModel(currentModel(configured, this.#now()));
    if (current.name !== configured.name) {
      this.#warnOnce(
        `${toModel(configured).id} was retired on ${configured.retired_at ?? ''}; ${current.id} takes its place.`,
      );
    } else if (isRetired(current, this.#now())) {
      this.#warnOnce(`${current.id} is retired and has no successor here. Set another default.`);
    }
    return current;
  }

  #warnOnce(message: string): void {
    if (!this.#warned.has(message)) {
      this.#warned.add(message);
      this.#warn(message);
    }
  }
}

function isFailure(error: unknown): boolean {
  return error instanceof ModelFailure && error.retryable;
}

/** The breaker sees a call as one piece of work, from its start to the end of its stream. */
async function* guarded(breaker: Breaker, call: ProviderCall): AsyncGenerator<ModelEvent> {
  const started = Promise.withResolvers<undefined>();
  const ended = Promise.withResolvers<undefined>();
  const work = breaker.execute(() => {
    started.resolve(undefined);
    return ended.promise;
  });
  // Whoever reads the stream gets the error; here it would only be reported as unhandled.
  work.catch(() => undefined);
  ended.promise.catch(() => undefined);
  try {
    await Promise.race([started.promise, work]);
    yield* callProvider(call);
  } catch (error) {
    ended.reject(error);
    call.request.signal.throwIfAborted();
    throw error instanceof TransientError
      ? new ModelFailure({ provider: call.provider, code: 'circuit_open' })
      : toModelFailure(error, call);
  } finally {
    ended.resolve(undefined);
  }
}

async function readWhole(
  events: AsyncIterable<ModelEvent>,
): Promise<{ text: string; usages: ModelUsage[] }> {
  let text = '';
  const usages: ModelUsage[] = [];
  for await (const event of events) {
    text += event.type === 'text' ? event.text : '';
    if (event.type === 'finish') usages.push(event.usage);
  }
  return { text, usages };
}

/** A sentence can be as long as its author likes. */
function bounded(summary: string): string {
  return summary.slice(0, MAX_SUMMARY_LENGTH).toWellFormed();
}
