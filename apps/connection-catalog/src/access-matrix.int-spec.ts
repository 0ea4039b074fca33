import { describe, expect } from '@jest/globals';
import { describeAccessMatrix } from '@soma/auth/contract';
import { installedTool, startAccessServers } from '@soma/testing';
import { catalogRoutes } from './openapi.ts';
import { createCatalogServers, startCatalog } from './spec-support.ts';

const routes = await catalogRoutes();
const describeMatrix = installedTool('opa') && installedTool('openfga') ? describe : describe.skip;

describeMatrix('who may do what with connections', () => {
  describeAccessMatrix(routes, async (running, { relations }) => {
    const [servers, access] = await Promise.all([
      createCatalogServers(running),
      startAccessServers(running),
    ]);
    await access.relate(...relations);
    const settings = { ...access.settings, INTEGRATIONS_TUNNEL_ENABLED: 'true' };
    const { url, send } = running.use(await startCatalog(servers, settings));
    return {
      url,
      send: (method, path, as) => send(method, path, { as }),
      tokenOf: ({ tenant, ...claims }) => servers.issuer.tokenFor(tenant, 'gateway', claims),
      makeThings: async () => {
        const body = { name: 'of-acme', type: 'github', fields: { token: 'of-git' } };
        expect((await send('POST', '/api/v1/connections', { body })).status).toBe(201);
        return {
          '/api/v1/connections/': 'of-acme',
          '/api/v1/oauth/status/': 'of-acme',
          '/api/v1/oauth/revoke/': 'of-acme',
        };
      },
    };
  });
});
