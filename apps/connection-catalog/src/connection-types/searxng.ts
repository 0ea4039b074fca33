import { z } from 'zod';
import { type ConnectionType, secretField, urlField } from './connection-type.ts';

/** https://docs.searxng.org/dev/search_api.html */
export const searxng: ConnectionType = {
  name: 'searxng',
  title: 'SearXNG',
  description: 'A search engine of your own.',
  fields: z.strictObject({
    base_url: urlField('Where it is.'),
    token: secretField('For a proxy before it that asks for one.').optional(),
  }),
  http: {
    baseUrl: { field: 'base_url' },
    credentials: [{ in: 'header', field: 'token', name: 'authorization', prefix: 'Bearer ' }],
    health: { path: '/healthz' },
  },
};
