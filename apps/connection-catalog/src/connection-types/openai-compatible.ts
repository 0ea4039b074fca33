import { z } from 'zod';
import { type ConnectionType, secretField, urlField } from './connection-type.ts';

/** Models behind an API that is as OpenAI's. */
export const openaiCompatible: ConnectionType = {
  name: 'openai_compatible',
  title: 'OpenAI-compatible',
  description: 'Models behind an API in the form of that of OpenAI, such as vLLM or Ollama.',
  fields: z.strictObject({
    base_url: urlField('Where the API is, with its `/v1`.'),
    api_key: secretField('Its key, where it asks for one.').optional(),
  }),
  http: {
    baseUrl: { field: 'base_url' },
    credentials: [{ in: 'header', field: 'api_key', name: 'authorization', prefix: 'Bearer ' }],
    health: { path: '/models' },
  },
  offersModels: true,
};
