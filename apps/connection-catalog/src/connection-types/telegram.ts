import { z } from 'zod';
import {
  type ConnectionType,
  secretField,
  urlField,
  webhookSecretFields,
} from './connection-type.ts';

/** https://core.telegram.org/bots/api#authorizing-your-bot */
export const telegram: ConnectionType = {
  name: 'telegram',
  title: 'Telegram',
  description: 'A bot at Telegram.',
  fields: z.strictObject({
    token: secretField('The token that BotFather gave.').regex(
      /^\d+:[A-Za-z0-9_-]+$/,
      'must be the token of a bot, as in 123:abc',
    ),
    api_url: urlField('Where the API is, for a server of your own.').default(
      'https://api.telegram.org',
    ),
    ...webhookSecretFields,
  }),
  http: {
    baseUrl: { field: 'api_url' },
    credentials: [{ in: 'path', field: 'token', prefix: '/bot' }],
    health: { path: '/getMe', mustBeTrue: 'ok' },
  },
  receivesWebhooks: true,
};
