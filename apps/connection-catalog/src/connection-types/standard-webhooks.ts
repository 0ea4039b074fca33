import { z } from 'zod';
import { type ConnectionType, webhookSecretFields } from './connection-type.ts';

/** https://www.standardwebhooks.com */
export const standardWebhooks: ConnectionType = {
  name: 'standard_webhooks',
  title: 'Standard Webhooks',
  description: 'Whatever signs its webhooks as standardwebhooks.com says.',
  fields: z.strictObject({
    webhook_secret: webhookSecretFields.webhook_secret.unwrap(),
    webhook_secret_previous: webhookSecretFields.webhook_secret_previous,
  }),
  receivesWebhooks: true,
};
