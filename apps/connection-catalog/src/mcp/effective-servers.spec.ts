import { describe, expect, it } from '@jest/globals';
import { type McpServer, mcpServer } from '@soma/contracts';
import { findEntry } from './catalog-entries.ts';
import { mergeInstalledServers, toServer } from './effective-servers.ts';

describe('toServer', () => {
  it('refers to the connection, by the fields that its type has', () => {
    const byToken = toServer(findEntry('github'), { name: 'work', type: 'github' });
    const bySignIn = toServer(findEntry('github'), { name: 'signed-in', type: 'oauth_app' });

    expect(byToken.references).toMatchObject([
      { name: 'Authorization', connection: 'work', field: 'token', prefix: 'Bearer ' },
    ]);
    expect(bySignIn.references).toMatchObject([{ connection: 'signed-in', field: 'access_token' }]);
    expect(mcpServer.parse(byToken)).toEqual(byToken);
  });

  it('refers to nothing where an entry needs nothing', () => {
    expect(toServer(findEntry('memory'), null).references).toEqual([]);
  });
});

describe('mergeInstalledServers', () => {
  const installed = [toServer(findEntry('memory'), null), toServer(findEntry('filesystem'), null)];

  it('prefers the server of the operator where both have the name', () => {
    const own: McpServer = {
      name: 'memory',
      source: 'operator',
      transport: { type: 'streamable_http', url: 'https://memory.internal/', headers: {} },
      references: [],
      tools: null,
    };

    const merged = mergeInstalledServers([own], installed);

    expect(merged.map(({ name, source }) => `${name} of ${source}`)).toEqual([
      ...['memory of operator', 'filesystem of catalog'],
    ]);
  });

  it('has just what is installed where the operator has none', () => {
    expect(mergeInstalledServers([], installed)).toEqual(installed);
  });
});
