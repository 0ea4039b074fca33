import { describe } from '@jest/globals';
import { describeAccessMatrix } from '@soma/auth/contract';
import { installedTool, startAccessServers } from '@soma/testing';
import { identityRoutes } from './openapi.ts';
import { createIdentityServers, startIdentity } from './spec-support.ts';

const routes = await identityRoutes();
const describeMatrix = installedTool('opa') && installedTool('openfga') ? describe : describe.skip;

describeMatrix('who may do what with identity', () => {
  describeAccessMatrix(routes, async (running, { people, relations }) => {
    const [servers, access] = await Promise.all([
      createIdentityServers(running),
      startAccessServers(running),
    ]);
    await access.relate(...relations);
    for (const { subject, role } of people) {
      await servers.database.execute(
        `INSERT INTO identity.users (user_id, email, display_name)
         VALUES ('${subject}', '${subject}@example.org', '${role}')`,
      );
    }
    const settings = { ...servers.settings, ...access.settings };
    const { send } = await startIdentity({ ...servers, settings }, running);
    return (method, path, as) => send(method, path, as === null ? {} : { as });
  });
});
