import { type ApiDocument, describeService } from '@soma/http';
import { loadConfig } from '@soma/kernel';
import { apiDescription } from './api-description.ts';
import { AppModule } from './app.module.ts';
import { gatewayConfig } from './gateway.config.ts';

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
