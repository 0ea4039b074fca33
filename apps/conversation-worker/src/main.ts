import { runService } from '@soma/http';
import { loadConfigOrExit } from '@soma/kernel';
import { KafkaConsumers } from '@soma/messaging';
import { apiDescription } from './api-description.ts';
import { AppModule } from './app.module.ts';
import { workerConfig } from './worker.config.ts';

const config = loadConfigOrExit(workerConfig);
await runService({
  name: 'conversation-worker',
  module: AppModule.configure(config),
  config,
  api: apiDescription,
  beforeListen: async (service) => {
    service.connectMicroservice({ strategy: service.get(KafkaConsumers) });
    await service.startAllMicroservices();
  },
});
