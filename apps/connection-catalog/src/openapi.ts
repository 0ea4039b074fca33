import { type DeclaredRoute, describeAccess } from '@soma/auth';
import { type ApiDocument, describeService } from '@soma/http';
import { loadConfig } from '@soma/kernel';
import { apiDescription } from './api-description.ts';
import { AppModule } from './app.module.ts';
import { catalogConfig } from './catalog.config.ts';

/**
 * Settings without a default, and those without which routes are missing. Nothing is started, so
 * nothing reads them.
 */
const UNUSED = {
  SOMA_MASTER_KEY: Buffer.alloc(32).toString('base64'),
  INTEGRATIONS_TUNNEL_ENABLED: 'true',
  INTEGRATIONS_TUNNEL_OUTSIDE_DEVELOPMENT: 'true',
};

/** The API document, made without starting anything. It is committed as `openapi.json`. */
export function catalogApi(): Promise<ApiDocument> {
  const config = loadConfig(catalogConfig, UNUSED);
  return describeService(AppModule.configure(config), config.SOMA_VERSION, apiDescription);
}

/** Every route that there is, and who may use it. */
export function catalogRoutes(): Promise<DeclaredRoute[]> {
  const config = loadConfig(catalogConfig, UNUSED);
  return describeAccess(AppModule.configure(config));
}
