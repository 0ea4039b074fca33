import { afterAll, describe } from '@jest/globals';
import { describeSecretBackendContract } from '@soma/secrets/contract';
import { createCatalogServers, startCatalog } from '../spec-support.ts';
import { ConnectionSecrets } from './connection-secrets.ts';

describe('secrets in our own database', () => {
  const running = new AsyncDisposableStack();
  afterAll(() => running.disposeAsync());

  describeSecretBackendContract(async () => {
    const servers = await createCatalogServers(running);
    const { service } = running.use(await startCatalog(servers));
    return service.get(ConnectionSecrets, { strict: false }).backend;
  });
});
