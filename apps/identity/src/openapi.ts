import { type DeclaredRoute, describeAccess } from '@soma/auth';
import { type ApiDocument, describeService } from '@soma/http';
import { loadConfig } from '@soma/kernel';
import { apiDescription } from './api-description.ts';
import { AppModule } from './app.module.ts';
import { identityConfig } from './identity.config.ts';

/** Settings without a default. Nothing is started, so nothing reads them. */
const UNUSED = {
  IDENTITY_CLIENTS_FILE: 'unused',
  SOMA_MASTER_KEY: Buffer.alloc(32).toString('base64'),
};

/** The API document, made without starting anything. It is committed as `openapi.json`. */
export function identityApi(): Promise<ApiDocument> {
  const config = loadConfig(identityConfig, UNUSED);
  return describeService(AppModule.configure(config), config.SOMA_VERSION, apiDescription);
}

/** Every route that there is, and who may use it. */
export function identityRoutes(): Promise<DeclaredRoute[]> {
  const config = loadConfig(identityConfig, UNUSED);
  return describeAccess(AppModule.configure(config));
}
