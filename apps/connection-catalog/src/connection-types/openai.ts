import { z } from 'zod';
import { type ConnectionType, secretField, urlField } from './connection-type.ts';

/** https://platform.openai.com/docs/api-reference/authentication */
export const openai: ConnectionType = {
  name: 'openai',
  title: 'OpenAI',
  description: 'The models of OpenAI.',
  fields: z.strictObject({
    api_key: secretField('The key of the account.'),
    base_url: urlField('Where the API is, for a proxy or a private installation.').default(
      'https://api.openai.com/v1',
    ),
  }),
  http: {
    baseUrl: { field: 'base_url' },
    credentials: [{ in: 'header', field: 'api_key', name: 'authorization', prefix: 'Bearer ' }],
    health: { path: '/models' },
  },
  offersModels: true,
};
