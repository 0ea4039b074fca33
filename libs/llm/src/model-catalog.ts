import { Problem } from '@soma/kernel';
import {
  cardOf,
  currentModel,
  isRetired,
  KEYED_PROVIDERS,
  type KeyedProviderName,
  MODEL_CARDS,
  type ModelCard,
  type ModelSupport,
  type ProviderName,
} from './models.ts';
import { PREFIXES } from './providers.ts';
import type { LlmSettings } from './settings.ts';

/** The model that answers without a key, and its provider. */
const LOCAL_MODEL = 'local/extractive';

/** A model that can be called. */
export interface Model extends ModelCard {
  /** `provider/name`, as it stands in `metadata.model`. */
  id: string;
}

/** A model as `GET /v1/models` lists it. */
export interface ModelListing {
  id: string;
  provider: ProviderName;
  /** Whether it can be asked for now: its provider has a key, and it is not retired. */
  available: boolean;
  /** Whether it answers when nobody asks for a model and its provider comes first. */
  default: boolean;
  context_window: number | null;
  max_output_tokens: number | null;
  supports: ModelSupport;
  retired_at: string | null;
  successor: string | null;
}

/** A card with its id. */
export function toModel(card: ModelCard): Model {
  return { ...card, id: `${card.provider}/${card.name}` };
}

/** Whether there is a key of a provider, or may be one of the tenant's own. */
function hasKey(settings: LlmSettings, provider: KeyedProviderName): boolean {
  const prefix = PREFIXES[provider];
  return (settings[`${prefix}_API_KEY`] ?? settings[`${prefix}_CONNECTION_NAME`]) !== undefined;
}

/** The default model of a provider, as it was set: it may be retired. */
export function configuredModel(settings: LlmSettings, provider: KeyedProviderName): ModelCard {
  return cardOf(provider, settings[`${PREFIXES[provider]}_MODEL`]);
}

/**
 * The model that a caller asks for, as `provider/name` or, where it is known, by its name alone.
 *
 * @throws A `Problem` 422: `model_retired`, or `model_not_available` where it is unknown or its
 * provider has no key.
 */
export function namedModel(settings: LlmSettings, name: string, now: Date): Model {
  const card = findCard(settings, name);
  if (card.provider !== 'local' && !hasKey(settings, card.provider)) {
    throw notAvailable(name);
  }
  if (isRetired(card, now)) {
    const successor = toModel(currentModel(card, now)).id;
    throw new Problem({
      status: 422,
      code: 'model_retired',
      detail: `The model "${name}" was retired on ${card.retired_at ?? ''}. Ask for ${successor}, or for none.`,
      fields: [{ path: 'model', message: 'is retired' }],
    });
  }
  return toModel(card);
}

/** All models that are known or configured, the default of each provider included. */
export function listModels(settings: LlmSettings, now = new Date()): ModelListing[] {
  const defaults = KEYED_PROVIDERS.map((name) =>
    currentModel(configuredModel(settings, name), now),
  );
  const configured = KEYED_PROVIDERS.map((name) => configuredModel(settings, name));
  const cards = [...MODEL_CARDS, ...configured, ...defaults, cardOf('local', 'extractive')];
  const models = new Map(cards.map((card) => [toModel(card).id, card]));
  return [...models].map(([id, card]) => ({
    id,
    provider: card.provider,
    available:
      !isRetired(card, now) && (card.provider === 'local' || hasKey(settings, card.provider)),
    default: isDefault(card, defaults, settings),
    context_window: card.context_window,
    max_output_tokens: card.max_output_tokens,
    supports: card.supports,
    retired_at: card.retired_at,
    successor: card.successor,
  }));
}

function isDefault(card: ModelCard, defaults: ModelCard[], settings: LlmSettings): boolean {
  const { provider, name } = card;
  return provider === 'local'
    ? !KEYED_PROVIDERS.some((each) => hasKey(settings, each))
    : hasKey(settings, provider) &&
        defaults.some((each) => each.provider === provider && each.name === name);
}

function findCard(settings: LlmSettings, name: string): ModelCard {
  if (name === LOCAL_MODEL) {
    return cardOf('local', 'extractive');
  }
  const [prefix, ...rest] = name.split('/');
  const provider = KEYED_PROVIDERS.find((each) => each === prefix);
  if (provider && rest.length > 0) {
    return cardOf(provider, rest.join('/'));
  }
  const known = [
    ...KEYED_PROVIDERS.map((each) => configuredModel(settings, each)),
    ...MODEL_CARDS,
  ].find((card) => card.name === name);
  if (!known) {
    throw notAvailable(name);
  }
  return known;
}

function notAvailable(name: string): Problem {
  return new Problem({
    status: 422,
    code: 'model_not_available',
    detail: `The model "${name}" is not available here. GET /v1/models lists those that are.`,
    fields: [{ path: 'model', message: 'is not available' }],
  });
}
