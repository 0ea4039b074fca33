import { z } from 'zod';
import {
  type ConnectionType,
  secretField,
  urlField,
  webhookSecretFields,
} from './connection-type.ts';

/** https://developers.facebook.com/docs/graph-api/webhooks/getting-started */
export const meta: ConnectionType = {
  name: 'meta',
  title: 'Meta',
  description: 'WhatsApp, Messenger or Instagram through the Graph API.',
  fields: z.strictObject({
    token: secretField('An access token of the Graph API.').optional(),
    api_url: urlField('The API, with its version.').default('https://graph.facebook.com/v24.0'),
    ...webhookSecretFields,
    verify_token: secretField('What Meta repeats when a webhook is set up.').optional(),
  }),
  http: {
    baseUrl: { field: 'api_url' },
    credentials: [{ in: 'header', field: 'token', name: 'authorization', prefix: 'Bearer ' }],
    health: { path: '/me?fields=id', needs: 'token' },
  },
  receivesWebhooks: true,
};
