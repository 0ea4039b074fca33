import { z } from 'zod';
import {
  type ConnectionType,
  secretField,
  urlField,
  webhookSecretFields,
} from './connection-type.ts';

const API = 'https://api.github.com';

/** https://docs.github.com/en/rest/authentication */
export const github: ConnectionType = {
  name: 'github',
  title: 'GitHub',
  description: 'Repositories, issues and pull requests at GitHub or a GitHub Enterprise Server.',
  fields: z.strictObject({
    token: secretField('A personal access token, or that of an app.').optional(),
    api_url: urlField('The API of an Enterprise Server.').default(API),
    ...webhookSecretFields,
  }),
  http: {
    baseUrl: { field: 'api_url' },
    credentials: [{ in: 'header', field: 'token', name: 'authorization', prefix: 'Bearer ' }],
    headers: { accept: 'application/vnd.github+json', 'x-github-api-version': '2022-11-28' },
    health: { path: '/user', needs: 'token' },
  },
  receivesWebhooks: true,
};
