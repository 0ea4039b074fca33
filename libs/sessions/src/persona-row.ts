/** A row of `conversation.personas`. */
export interface PersonaRow {
  persona_id: string;
  name: string;
  instructions: string;
  model: string | null;
  temperature: number | null;
  top_p: number | null;
  top_k: number | null;
  max_tokens: number | null;
  created_at: Date;
  updated_at: Date;
}

export const PERSONA_COLUMNS =
  'persona_id, name, instructions, model, temperature, top_p, top_k, max_tokens, created_at, updated_at';
