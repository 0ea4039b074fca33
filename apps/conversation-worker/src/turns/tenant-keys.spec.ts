import { afterAll, describe, expect, it } from '@jest/globals';
import type { ConnectionLimits, OpenConnection } from '@soma/connections';
import { Outbound } from '@soma/http';
import { Secret } from '@soma/kernel';
import { TenantKeys } from './tenant-keys.ts';

const models: OpenConnection = {
  connectionId: 'c-1',
  name: 'models',
  type: 'openai',
  fields: { base_url: 'https://models.example/v1' },
  credentials: new Map([['api_key', new Secret('theirs')]]),
  http: null,
  rateLimitRpm: 60,
  version: 1,
};

describe('TenantKeys', () => {
  const outbound = new Outbound({ allowedHosts: [] });
  afterAll(() => outbound.close());

  it('has every request wait for its turn at the connection, until its turn is given up', async () => {
    const uses: Parameters<ConnectionLimits['fetch']>[0][] = [];
    const limits: Pick<ConnectionLimits, 'fetch'> = {
      fetch: (use) => {
        uses.push(use);
        return Promise.resolve(new Response('answer'));
      },
    };
    const keys = new TenantKeys({ find: () => Promise.resolve(models) }, limits, outbound);
    const access = await keys.find('acme', 'models');
    const { signal } = new AbortController();
    const answer = await access?.fetch?.('https://models.example/v1/chat', { signal });

    expect(await answer?.text()).toBe('answer');
    expect(uses).toEqual([
      {
        principal: expect.objectContaining({ tenant_id: 'acme' }),
        ...{ name: 'models', deadlineMs: 10_000, signal },
      },
    ]);
    expect([access?.key.reveal(), access?.baseUrl]).toEqual(['theirs', models.fields['base_url']]);
  });
});
