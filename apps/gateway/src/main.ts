import { runService } from '@soma/http';
import { loadConfigOrExit } from '@soma/kernel';
import { apiDescription } from './api-description.ts';
import { AppModule } from './app.module.ts';
import { gatewayConfig } from './gateway.config.ts';

const config = loadConfigOrExit(gatewayConfig);
await runService({
  name: 'gateway',
  module: AppModule.configure(config),
  config,
  api: apiDescription,
  apiVersion: config.GATEWAY_API_VERSION,
  legacyHealth: true,
});
