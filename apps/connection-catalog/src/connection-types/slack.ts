import { z } from 'zod';
import { type ConnectionType, secretField } from './connection-type.ts';

/** https://docs.slack.dev/authentication */
export const slack: ConnectionType = {
  name: 'slack',
  title: 'Slack',
  description: 'Channels and messages of a workspace.',
  fields: z.strictObject({
    token: secretField('The token of a bot (xoxb-…) or of a user (xoxp-…).').optional(),
    signing_secret: secretField(
      'The signing secret of the app, by which its requests are verified.',
    ).optional(),
  }),
  http: {
    baseUrl: 'https://slack.com/api',
    credentials: [{ in: 'header', field: 'token', name: 'authorization', prefix: 'Bearer ' }],
    // https://docs.slack.dev/reference/methods/auth.test
    health: { method: 'POST', path: '/auth.test', needs: 'token', mustBeTrue: 'ok' },
  },
  receivesWebhooks: true,
};
