import { z } from 'zod';
import { clientIdentifier, timestamp } from '../identifiers.ts';
import { pageLimit } from './page.ts';

const settings = {
  name: z.string().min(1).max(200),
  /** What the model is told before the conversation. */
  instructions: z.string().max(32_768).default(''),
  /** `provider/name` as in `GET /v1/models`; null: the first of the configured preference. */
  model: z.string().min(1).max(200).nullable().default(null),
  temperature: z.number().min(0).max(2).nullable().default(null),
  top_p: z.number().gt(0).max(1).nullable().default(null),
  /** Anthropic and Gemini only. */
  top_k: z.int().min(1).max(1000).nullable().default(null),
  max_tokens: z.int().min(1).max(200_000).nullable().default(null),
};

/** Body of `POST /v1/personas`. */
export const createPersonaRequest = z.strictObject({
  persona_id: clientIdentifier.optional(),
  ...settings,
});
export type CreatePersonaRequest = z.output<typeof createPersonaRequest>;

/** Body of `PATCH /v1/personas/{id}`: what is absent stays, null goes back to the default. */
export const updatePersonaRequest = z.strictObject({
  name: settings.name.optional(),
  instructions: z.string().max(32_768).optional(),
  model: settings.model.unwrap().optional(),
  temperature: settings.temperature.unwrap().optional(),
  top_p: settings.top_p.unwrap().optional(),
  top_k: settings.top_k.unwrap().optional(),
  max_tokens: settings.max_tokens.unwrap().optional(),
});
export type UpdatePersonaRequest = z.output<typeof updatePersonaRequest>;

/** How an agent speaks: its instructions, its model and the model's parameters. */
export const persona = z.strictObject({
  persona_id: clientIdentifier,
  name: z.string(),
  instructions: z.string(),
  model: z.string().nullable(),
  temperature: z.number().nullable(),
  top_p: z.number().nullable(),
  top_k: z.int().nullable(),
  max_tokens: z.int().nullable(),
  created_at: timestamp,
  updated_at: timestamp,
});
export type Persona = z.output<typeof persona>;

/** Query of `GET /v1/personas`. */
export const personaListQuery = z.strictObject({
  cursor: clientIdentifier.optional(),
  limit: pageLimit,
});
export type PersonaListQuery = z.output<typeof personaListQuery>;

/** A page of the tenant's personas, by id. */
export const personaList = z.strictObject({
  personas: z.array(persona),
  next_cursor: z.string().nullable(),
});
export type PersonaList = z.output<typeof personaList>;
