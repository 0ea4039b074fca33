import { runService } from '@soma/http';
import { loadConfigOrExit } from '@soma/kernel';
import { apiDescription } from './api-description.ts';
import { AppModule } from './app.module.ts';
import { identityConfig } from './identity.config.ts';

const config = loadConfigOrExit(identityConfig);
await runService({
  name: 'identity',
  module: AppModule.configure(config),
  config,
  api: apiDescription,
});
