import { z } from 'zod';
import {
  type ConnectionType,
  secretField,
  urlField,
  webhookSecretFields,
} from './connection-type.ts';

/** https://docs.stripe.com/api/authentication */
export const stripe: ConnectionType = {
  name: 'stripe',
  title: 'Stripe',
  description: 'Payments at Stripe.',
  fields: z.strictObject({
    api_key: secretField('A secret or, better, a restricted key.').optional(),
    api_url: urlField('Where the API is.').default('https://api.stripe.com'),
    ...webhookSecretFields,
  }),
  http: {
    baseUrl: { field: 'api_url' },
    credentials: [{ in: 'header', field: 'api_key', name: 'authorization', prefix: 'Bearer ' }],
    // A restricted key that may not see the balance is a good one; a bad one gets 401.
    health: { path: '/v1/balance', needs: 'api_key', accepts: [403] },
  },
  // https://docs.stripe.com/rate-limits: 25 a second in a sandbox.
  defaultRateRpm: 600,
  receivesWebhooks: true,
};
