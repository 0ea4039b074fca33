/** Who answers. `local` is in this process, the others need a key. */
export type ProviderName = 'local' | KeyedProviderName;

/** The providers that a key enables, in the default order of preference. */
export const KEYED_PROVIDERS = ['anthropic', 'openai', 'gemini', 'openrouter', 'slm'] as const;

/** A provider that a key enables. */
export type KeyedProviderName = (typeof KEYED_PROVIDERS)[number];

/** Which requests a model understands. */
export interface ModelSupport {
  temperature: boolean;
  top_p: boolean;
  top_k: boolean;
  /** The provider itself holds the answer to a JSON Schema. */
  structured_output: boolean;
}

/** US dollars for a million tokens. */
interface ModelPrice {
  input: number;
  output: number;
  cached_input: number;
}

/** What is known of one model. Null means that it is not known. */
export interface ModelCard {
  provider: ProviderName;
  name: string;
  context_window: number | null;
  max_output_tokens: number | null;
  price: ModelPrice | null;
  supports: ModelSupport;
  /** The day from which the provider refuses it, which may lie ahead. */
  retired_at: string | null;
  /** The model of the same provider that takes its place. */
  successor: string | null;
  /** The page that says so, and when it was read. */
  source: string | null;
  checked_at: string | null;
}

const SAMPLING = { temperature: true, top_p: true } as const;

/** What models of a provider understand unless their card says otherwise. */
const USUAL_SUPPORT: Record<ProviderName, ModelSupport> = {
  anthropic: { ...SAMPLING, top_k: true, structured_output: true },
  openai: { ...SAMPLING, top_k: false, structured_output: true },
  gemini: { ...SAMPLING, top_k: true, structured_output: true },
  openrouter: { ...SAMPLING, top_k: false, structured_output: true },
  slm: { ...SAMPLING, top_k: false, structured_output: true },
  local: { temperature: false, top_p: false, top_k: false, structured_output: false },
};

const ANTHROPIC_RETIREMENTS = 'https://platform.claude.com/docs/en/about-claude/model-deprecations';
const GEMINI_RETIREMENTS = 'https://ai.google.dev/gemini-api/docs/deprecations';
const OPENAI_RETIREMENTS = 'https://developers.openai.com/api/docs/deprecations';

/**
 * The models that are known by name. A provider's other models can be used too: what is not known
 * of them is null, and the provider decides.
 *
 * To change the data, read the provider's page again and set `checked_at`. Dates in the future are
 * announcements: the default changes by itself on the day.
 */
export const MODEL_CARDS: readonly ModelCard[] = [
  {
    provider: 'anthropic',
    name: 'claude-sonnet-4-20250514',
    context_window: 200_000,
    max_output_tokens: 64_000,
    price: { input: 3, output: 15, cached_input: 0.3 },
    supports: USUAL_SUPPORT.anthropic,
    retired_at: '2026-06-15',
    successor: 'claude-sonnet-4-6',
    source: ANTHROPIC_RETIREMENTS,
    checked_at: '2026-11-21',
  },
  {
    provider: 'anthropic',
    name: 'claude-sonnet-4-6',
    context_window: 1_000_000,
    max_output_tokens: 128_000,
    price: { input: 3, output: 15, cached_input: 0.3 },
    supports: USUAL_SUPPORT.anthropic,
    retired_at: null,
    successor: null,
    source: 'https://platform.claude.com/docs/en/models/sonnet-4-6/overview',
    checked_at: '2026-11-21',
  },
  {
    provider: 'openai',
    name: 'gpt-4o',
    context_window: 128_000,
    max_output_tokens: 16_384,
    price: { input: 2.5, output: 10, cached_input: 1.25 },
    supports: USUAL_SUPPORT.openai,
    retired_at: '2027-01-14',
    successor: 'gpt-6-luna',
    source: OPENAI_RETIREMENTS,
    checked_at: '2026-11-21',
  },
  {
    provider: 'openai',
    name: 'gpt-6-luna',
    context_window: 1_050_000,
    max_output_tokens: 128_000,
    price: { input: 0.1, output: 0.5, cached_input: 0.01 },
    // It reasons, and models that reason take no sampling parameters.
    supports: { ...USUAL_SUPPORT.openai, temperature: false, top_p: false },
    retired_at: null,
    successor: null,
    source: 'https://developers.openai.com/api/docs/models/gpt-6-luna',
    checked_at: '2026-11-21',
  },
  {
    provider: 'gemini',
    name: 'gemini-2.0-flash',
    context_window: 1_048_576,
    max_output_tokens: 8_192,
    price: { input: 0.1, output: 0.4, cached_input: 0.025 },
    supports: USUAL_SUPPORT.gemini,
    retired_at: '2026-06-01',
    successor: 'gemini-2.5-flash',
    source: GEMINI_RETIREMENTS,
    checked_at: '2026-11-21',
  },
  {
    provider: 'gemini',
    name: 'gemini-2.5-flash',
    context_window: 1_048_576,
    max_output_tokens: 65_536,
    price: { input: 0.3, output: 2.5, cached_input: 0.03 },
    supports: USUAL_SUPPORT.gemini,
    retired_at: '2026-12-01',
    successor: 'gemini-3.5-flash-lite',
    source: GEMINI_RETIREMENTS,
    checked_at: '2026-11-21',
  },
  {
    provider: 'gemini',
    name: 'gemini-3.5-flash-lite',
    context_window: 1_048_576,
    max_output_tokens: 65_536,
    price: { input: 0.3, output: 2.5, cached_input: 0.03 },
    // Since 2026-07-21 Google calls sampling parameters deprecated; it still takes them.
    supports: USUAL_SUPPORT.gemini,
    retired_at: null,
    successor: null,
    source: GEMINI_RETIREMENTS,
    checked_at: '2026-11-21',
  },
];

/** The card of a model, or what can be said of one that is not known. */
export function cardOf(provider: ProviderName, name: string): ModelCard {
  return (
    MODEL_CARDS.find((card) => card.provider === provider && card.name === name) ?? {
      provider,
      name,
      context_window: null,
      max_output_tokens: null,
      price: null,
      supports: USUAL_SUPPORT[provider],
      retired_at: null,
      successor: null,
      source: null,
      checked_at: null,
    }
  );
}

/** Whether the provider refuses a model by now. */
export function isRetired({ retired_at }: ModelCard, now: Date): boolean {
  return retired_at !== null && now >= new Date(retired_at);
}

/** The model itself, or the first of its successors that is not retired. */
export function currentModel(card: ModelCard, now: Date): ModelCard {
  let current = card;
  while (isRetired(current, now) && current.successor !== null) {
    current = cardOf(current.provider, current.successor);
  }
  return current;
}
