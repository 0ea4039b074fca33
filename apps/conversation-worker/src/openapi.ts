import { type DeclaredRoute, describeAccess } from '@soma/auth';
import { type ApiDocument, describeService } from '@soma/http';
import { loadConfig } from '@soma/kernel';
import { apiDescription } from './api-description.ts';
import { AppModule } from './app.module.ts';
import { workerConfig } from './worker.config.ts';

/** The API document, made without starting anything. It is committed as `openapi.json`. */
export function workerApi(): Promise<ApiDocument> {
  const config = loadConfig(workerConfig, {});
  return describeService(AppModule.configure(config), config.SOMA_VERSION, apiDescription);
}

/** Every route that there is, and who may use it. */
export function workerRoutes(): Promise<DeclaredRoute[]> {
  const config = loadConfig(workerConfig, {});
  return describeAccess(AppModule.configure(config));
}
