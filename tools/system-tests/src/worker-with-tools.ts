/** The worker's own program, but for a tool that it offers: a test answers the tool's calls. */
import { join } from 'node:path';
import { runService } from '@soma/http';
import { loadConfigOrExit } from '@soma/kernel';
import { KafkaConsumers } from '@soma/messaging';

const worker = join(import.meta.dirname, '../../../apps/conversation-worker/dist');
const lookUp = {
  name: 'look_up',
  description: 'Looks a word up.',
  inputSchema: { type: 'object' },
  timeoutMs: 60_000,
};

// By path: nothing may depend on an app.
const { workerConfig } = (await import(join(worker, 'worker.config.js'))) as {
  workerConfig: Parameters<typeof loadConfigOrExit>[0];
};
const { AppModule } = (await import(join(worker, 'app.module.js'))) as {
  AppModule: { configure: (config: unknown, tools: unknown[]) => Service['module'] };
};

type Service = Parameters<typeof runService>[0];

const config = loadConfigOrExit(workerConfig) as Service['config'];
await runService({
  name: 'conversation-worker',
  module: AppModule.configure(config, [lookUp]),
  config,
  beforeListen: async (service) => {
    service.connectMicroservice({ strategy: service.get(KafkaConsumers) });
    await service.startAllMicroservices();
  },
});
