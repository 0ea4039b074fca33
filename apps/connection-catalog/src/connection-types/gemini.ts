import { z } from 'zod';
import { type ConnectionType, secretField, urlField } from './connection-type.ts';

/** https://ai.google.dev/api */
export const gemini: ConnectionType = {
  name: 'gemini',
  title: 'Google Gemini',
  description: 'The models of Google.',
  fields: z.strictObject({
    api_key: secretField('The key of the account.'),
    base_url: urlField('Where the API is, for a proxy or a private installation.').default(
      'https://generativelanguage.googleapis.com/v1beta',
    ),
  }),
  http: {
    baseUrl: { field: 'base_url' },
    credentials: [{ in: 'header', field: 'api_key', name: 'x-goog-api-key' }],
    health: { path: '/models?pageSize=1' },
  },
  offersModels: true,
};
