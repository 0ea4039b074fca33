import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '@soma/testing';
import {
  type CatalogServers,
  createCatalogServers,
  startCatalog,
  type TestCatalog,
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
      return ready.status === 200;
    });
    const health = await catalog.send('GET', '/v1/health', { as: null });

    expect(health.status).toBe(200);
    const ok = expect.objectContaining({ status: 'ok' });
    const dependencies = { postgres: ok, kafka: ok, redis: expect.anything() };
    expect(health.body['dependencies']).toMatchObject(dependencies);
  });

  it('has no routes for partners where integrations are turned off', async () => {
    await using off = await startCatalog(servers, { INTEGRATIONS_ENABLED: 'false' });
    const unknown = await off.send('GET', '/api/v1/unknown');

    for (const as of [null, { tenant: 'acme' }]) {
      const answer = await off.send('GET', '/api/v1/connections', { as });
      expect([answer.status, answer.body['code']]).toEqual([404, unknown.body['code']]);
    }
    const ready = await off.send('GET', '/v1/health/live', { as: null });
    expect(ready.status).toBe(200);
  });
});
