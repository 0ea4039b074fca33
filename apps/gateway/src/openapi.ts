import { type DeclaredRoute, describeAccess } from '@soma/auth';
import { type ApiDocument, describeService } from '@soma/http';
import { loadConfig } from '@soma/kernel';
import { READ_SESSION } from './access/session-rules.ts';
import { apiDescription } from './api-description.ts';
import { AppModule } from './app.module.ts';
import { gatewayConfig } from './gateway.config.ts';
import { SOCKET_ROUTE } from './streams/stream-access.ts';

/**
 * The API document, made without starting anything. It is committed as `openapi.json`.
 *
 * @param forwarded - What other apps serve behind the gateway, where it is newer than what is
 *   committed.
 */
export function gatewayApi(forwarded = apiDescription.forwarded): Promise<ApiDocument> {
  const config = loadConfig(gatewayConfig, {});
  return describeService(AppModule.configure(config), config.SOMA_VERSION, {
    ...apiDescription,
    ...(forwarded && { forwarded }),
  });
}

/** Every route that there is, and who may use it. */
export async function gatewayRoutes(): Promise<DeclaredRoute[]> {
  const config = loadConfig(gatewayConfig, {});
  // Sockets are taken in beside the routes: see StreamSockets.
  const socket: DeclaredRoute = { kind: 'access', ...SOCKET_ROUTE, rule: READ_SESSION };
  return [...(await describeAccess(AppModule.configure(config))), socket];
}
