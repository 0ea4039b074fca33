import { z } from 'zod';
import { type ConnectionType, secretField, urlField } from './connection-type.ts';

/** https://docs.claude.com/en/api/overview */
export const anthropic: ConnectionType = {
  name: 'anthropic',
  title: 'Anthropic',
  description: 'The models of Anthropic.',
  fields: z.strictObject({
    api_key: secretField('The key of the account.'),
    base_url: urlField('Where the API is, for a proxy or a private installation.').default(
      'https://api.anthropic.com/v1',
    ),
  }),
  http: {
    baseUrl: { field: 'base_url' },
    credentials: [{ in: 'header', field: 'api_key', name: 'x-api-key' }],
    headers: { 'anthropic-version': '2023-06-01' },
    health: { path: '/models?limit=1' },
  },
  offersModels: true,
};
