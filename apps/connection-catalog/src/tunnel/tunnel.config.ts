import { clientIdentifier } from '@soma/contracts';
import { booleanSetting, secretSetting } from '@soma/kernel';
import { z } from 'zod';

/** The part `tunnel` of the block `integrations:`, and the credentials of its providers. */
export const tunnelSettings = {
  INTEGRATIONS_TUNNEL_ENABLED: booleanSetting(false).describe(
    'Whether a tunnel may be opened by which the internet reaches Soma.',
  ),
  INTEGRATIONS_TUNNEL_OUTSIDE_DEVELOPMENT: booleanSetting(false).describe(
    'Whether that is so without `NODE_ENV=development`, too.',
  ),
  INTEGRATIONS_TUNNEL_TARGET_URL: z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
    .default('http://localhost:8010')
    .describe('Where a tunnel of ngrok leads: the gateway. Cloudflare is told that by itself.'),
  NGROK_AUTHTOKEN: secretSetting.optional().describe('The token of the agent of ngrok.'),
  CLOUDFLARE_TOKEN: secretSetting
    .optional()
    .describe('The token of a tunnel of Cloudflare, which the program `cloudflared` runs.'),
  CLOUDFLARE_TUNNEL_ID: z
    .uuid('must be the id of a tunnel')
    .optional()
    .describe('The tunnel that `CLOUDFLARE_TOKEN` is for.'),
  IDENTITY_OPERATOR_TENANT: clientIdentifier
    .default('soma')
    .describe(
      'The tenant of whoever runs Soma. Outside of development it alone opens and closes tunnels.',
    ),
};
