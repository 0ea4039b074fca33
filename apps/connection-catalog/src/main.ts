import { runService } from '@soma/http';
import { loadConfigOrExit } from '@soma/kernel';
import { apiDescription } from './api-description.ts';
import { AppModule } from './app.module.ts';
import { catalogConfig } from './catalog.config.ts';
import { loadCatalogConfig } from './integrations-file.ts';

const config = loadConfigOrExit(catalogConfig, () => loadCatalogConfig());
await runService({
  name: 'connection-catalog',
  module: AppModule.configure(config),
  config,
  api: apiDescription,
});
