import { describe, expect } from '@jest/globals';
import { accessScope } from '@soma/contracts';
import { describeAccessMatrix } from '@soma/auth/contract';
import { installedTool, startAccessServers } from '@soma/testing';
import { identityRoutes } from './openapi.ts';
import { createIdentityServers, startIdentity } from './spec-support.ts';

const routes = await identityRoutes();
const describeMatrix = installedTool('opa') && installedTool('openfga') ? describe : describe.skip;

/** Their tenants are there for it. */
const CLIENTS = ['acme', 'globex'].map((tenant_id) => ({
  ...{ client_id: `of-${tenant_id}`, tenant_id, scopes: [] },
}));
const AGENT = { tenant: 'acme', subject: 'agent', scopes: accessScope.options };

describeMatrix('who may do what with identity', () => {
  describeAccessMatrix(routes, async (running, { people, relations }) => {
    const [servers, access] = await Promise.all([
      createIdentityServers(running, CLIENTS),
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
    const { url, send, tokenOf } = await startIdentity({ ...servers, settings }, running);
    const make = async (path: string, body: object, id: string): Promise<string> => {
      const answer = await send('POST', path, { as: AGENT, body });
      expect([path, answer.status]).toEqual([path, 201]);
      return String(answer.body[id]);
    };
    return {
      url,
      tokenOf,
      send: (method, path, as) => send(method, path, as === null ? {} : { as }),
      makeThings: async () => {
        const [accounts, invitations] = ['service-accounts', 'invitations'];
        const key = { name: 'Bot', scopes: ['sessions:read'] };
        const invitation = { email: 'new@example.org', role: 'viewer' };
        return {
          '/v1/api-keys/': await make('/v1/api-keys', key, 'key_id'),
          [`/v1/members/${accounts}/`]: await make(
            `/v1/members/${accounts}`,
            { name: 'Desk' },
            'service_account_id',
          ),
          [`/v1/members/${invitations}/`]: await make(
            `/v1/members/${invitations}`,
            invitation,
            'invitation_id',
          ),
        };
      },
    };
  });
});
