import { runService } from '@soma/http';
import { loadConfigOrExit } from '@soma/kernel';
import { KafkaConsumers } from '@soma/messaging';
import { apiDescription } from './api-description.ts';
import { AppModule } from './app.module.ts';
import { identityConfig } from './identity.config.ts';

const config = loadConfigOrExit(identityConfig);
await runService({
  name: 'identity',
  module: AppModule.configure(config),
  config,
  api: apiDescription,
  beforeListen: async (service) => {
    service.connectMicroservice({ strategy: service.get(KafkaConsumers) });
    await service.startAllMicroservices();
  },
});
