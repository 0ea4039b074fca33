import { z } from 'zod';

/** A model that an installation knows. */
const model = z.strictObject({
  /** `provider/name`, as a persona asks for it. */
  id: z.string(),
  provider: z.string(),
  /** Whether it can be asked for now: its provider has a key, and it is not retired. */
  available: z.boolean(),
  /** Whether it answers when nobody asks for a model and its provider comes first. */
  default: z.boolean(),
  /** In tokens; null where it is not known. */
  context_window: z.int().positive().nullable(),
  max_output_tokens: z.int().positive().nullable(),
  supports: z.strictObject({
    temperature: z.boolean(),
    top_p: z.boolean(),
    top_k: z.boolean(),
    /** The provider itself holds the answer to a JSON Schema. */
    structured_output: z.boolean(),
  }),
  /** The day on which it stopped answering, as in `2026-05-14`. */
  retired_at: z.string().nullable(),
  successor: z.string().nullable(),
});

/** Answer of `GET /v1/models`. */
export const modelList = z.strictObject({ models: z.array(model) });
export type ModelList = z.output<typeof modelList>;
