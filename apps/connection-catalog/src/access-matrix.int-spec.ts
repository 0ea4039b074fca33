import { describe } from '@jest/globals';
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
    const { send } = running.use(await startCatalog(servers, settings));
    return (method, path, as) => send(method, path, { as });
  });
});
