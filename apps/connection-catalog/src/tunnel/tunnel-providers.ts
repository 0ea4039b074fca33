import type { TunnelProviderName } from '@soma/contracts';
import { ConfigError } from '@soma/kernel';
import { z } from 'zod';
import type { CatalogConfig } from '../catalog.config.ts';
import { cloudflareProvider } from './cloudflare-tunnel.ts';
import { ngrokProvider } from './ngrok-tunnel.ts';
import type { TunnelProvider } from './tunnel-provider.ts';

/** Under this token are the providers that have credentials. */
export const TUNNEL_PROVIDERS = Symbol('TUNNEL_PROVIDERS');
export type TunnelProviders = ReadonlyMap<TunnelProviderName, TunnelProvider>;

/** What is in a token of Cloudflare: `t` is the tunnel that it is for. */
const tokenContent = z.object({ t: z.string() });

/** @throws {@link ConfigError} where what is set does not go together */
export function configuredProviders(config: CatalogConfig): TunnelProviders {
  const { NGROK_AUTHTOKEN: authtoken, INTEGRATIONS_TUNNEL_TARGET_URL: targetUrl } = config;
  const ngrok = authtoken && ngrokProvider({ authtoken, targetUrl });
  const providers = [ngrok, cloudflareOf(config)].filter((each) => each !== undefined);
  return new Map(providers.map((provider) => [provider.name, provider]));
}

function cloudflareOf(config: CatalogConfig): TunnelProvider | undefined {
  const { CLOUDFLARE_TOKEN: token, CLOUDFLARE_TUNNEL_ID: tunnelId } = config;
  if (token === undefined && tunnelId === undefined) {
    return undefined;
  }
  if (token === undefined || tunnelId === undefined) {
    throw new ConfigError('CLOUDFLARE_TOKEN and CLOUDFLARE_TUNNEL_ID must be set together.');
  }
  if (tunnelOf(token.reveal()) !== tunnelId) {
    throw new ConfigError('CLOUDFLARE_TUNNEL_ID is not the tunnel that CLOUDFLARE_TOKEN is for.');
  }
  return cloudflareProvider({ token });
}

function tunnelOf(token: string): string | undefined {
  try {
    return tokenContent.parse(JSON.parse(Buffer.from(token, 'base64').toString())).t;
  } catch {
    return undefined;
  }
}
