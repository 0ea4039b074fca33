import { clientIdentifier } from '@soma/contracts';
import { booleanSetting, isDevelopment, secretSetting } from '@soma/kernel';
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

type TunnelConfig = z.output<z.ZodObject<typeof tunnelSettings>>;

/** What is in a token of Cloudflare: `t` is the tunnel that it is for. */
const tokenContent = z.object({ t: z.string() });

/** Says what is wrong with settings of a tunnel that are each well and do not go together. */
export function checkTunnelSettings(config: TunnelConfig, context: z.RefinementCtx): void {
  if (!config.INTEGRATIONS_TUNNEL_ENABLED) {
    return;
  }
  if (!isDevelopment() && !config.INTEGRATIONS_TUNNEL_OUTSIDE_DEVELOPMENT) {
    const message =
      'opens Soma to the internet: it is accepted only with NODE_ENV=development, or with ' +
      'INTEGRATIONS_TUNNEL_OUTSIDE_DEVELOPMENT=true';
    context.addIssue({ code: 'custom', path: ['INTEGRATIONS_TUNNEL_ENABLED'], message });
  }
  const message = cloudflareFault(config);
  if (message !== undefined) {
    context.addIssue({ code: 'custom', path: ['CLOUDFLARE_TUNNEL_ID'], message });
  }
}

function cloudflareFault({
  CLOUDFLARE_TOKEN: token,
  CLOUDFLARE_TUNNEL_ID: tunnelId,
}: TunnelConfig): string | undefined {
  if ((token === undefined) !== (tunnelId === undefined)) {
    return 'must be set together with CLOUDFLARE_TOKEN';
  }
  return token === undefined || tunnelOf(token.reveal()) === tunnelId
    ? undefined
    : 'is not the tunnel that CLOUDFLARE_TOKEN is for';
}

function tunnelOf(token: string): string | undefined {
  try {
    return tokenContent.parse(JSON.parse(Buffer.from(token, 'base64').toString())).t;
  } catch {
    return undefined;
  }
}
