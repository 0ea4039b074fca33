import { z } from 'zod';
import { type ConnectionType, secretField, urlField } from './connection-type.ts';

/** https://openrouter.ai/docs/api-reference/authentication */
export const openrouter: ConnectionType = {
  name: 'openrouter',
  title: 'OpenRouter',
  description: 'The models of many providers behind one key.',
  fields: z.strictObject({
    api_key: secretField('The key of the account.'),
    base_url: urlField('Where the API is, for a proxy or a private installation.').default(
      'https://openrouter.ai/api/v1',
    ),
  }),
  http: {
    baseUrl: { field: 'base_url' },
    credentials: [{ in: 'header', field: 'api_key', name: 'authorization', prefix: 'Bearer ' }],
    // Its list of models is open to everybody and says nothing of the key.
    health: { path: '/key' },
  },
  offersModels: true,
};
