import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type CatalogServers,
  createCatalogServers,
  startCatalog,
  type TestCatalog,
  until,
} from './spec-support.ts';

describe('the connection catalog', () => {
  const running = new AsyncDisposableStack();
  let servers: CatalogServers;
  let catalog: TestCatalog;

  beforeAll(async () => {
    servers = await createCatalogServers(running);
    catalog = running.use(await startCatalog(servers));
  });

  afterAll(() => running.disposeAsync());

  it('says that it is ready, and what it depends on', async () => {
    await until(async () => {
      const ready = await catalog.send('GET', '/v1/health/ready', { as: null });
      return ready.status === 200 || undefined;
    });
    const health = await catalog.send('GET', '/v1/health', { as: null });

    expect(health.status).toBe(200);
    expect(JSON.stringify(health.body)).toContain('postgres');
  });
});
