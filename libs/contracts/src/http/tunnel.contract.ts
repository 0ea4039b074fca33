import { z } from 'zod';
import { timestamp } from '../identifiers.ts';

/** Who leads requests from the internet to where Soma runs. */
const tunnelProvider = z.enum(['ngrok', 'cloudflare']);
export type TunnelProviderName = z.output<typeof tunnelProvider>;

/** Body of `POST /api/v1/integrations/tunnel/start`. */
export const startTunnelRequest = z.strictObject({ provider: tunnelProvider });
export type StartTunnelRequest = z.output<typeof startTunnelRequest>;

/** The one tunnel that there is over all pods. */
export const tunnelStatus = z.strictObject({
  state: z.enum(['stopped', 'starting', 'running', 'stopping']),
  provider: tunnelProvider.nullable(),
  /** Where the internet reaches Soma, without a slash at its end: what providers of webhooks are told. */
  public_url: z.url().nullable(),
  started_at: timestamp.nullable(),
});
export type TunnelStatus = z.output<typeof tunnelStatus>;
