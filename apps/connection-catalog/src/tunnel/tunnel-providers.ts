import type { TunnelProviderName } from '@soma/contracts';
import type { CatalogConfig } from '../catalog.config.ts';
import { cloudflareProvider } from './cloudflare-tunnel.ts';
import { ngrokProvider } from './ngrok-tunnel.ts';
import type { TunnelProvider } from './tunnel-provider.ts';

/** Under this token are the providers that have credentials. */
export const TUNNEL_PROVIDERS = Symbol('TUNNEL_PROVIDERS');
export type TunnelProviders = ReadonlyMap<TunnelProviderName, TunnelProvider>;

export function configuredProviders(config: CatalogConfig): TunnelProviders {
  const { NGROK_AUTHTOKEN: authtoken, INTEGRATIONS_TUNNEL_TARGET_URL: targetUrl } = config;
  const { CLOUDFLARE_TOKEN: token } = config;
  const ngrok = authtoken && ngrokProvider({ authtoken, targetUrl });
  const cloudflare = token && cloudflareProvider({ token });
  const providers = [ngrok, cloudflare].filter((each) => each !== undefined);
  return new Map(providers.map((provider) => [provider.name, provider]));
}
