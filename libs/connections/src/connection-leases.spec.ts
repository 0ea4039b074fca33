import { describe, expect, it } from '@jest/globals';
import type { ConfigUpdate, ConnectionLease, Principal } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { ConnectionLeases } from './connection-leases.ts';

const ada: Principal = { subject: 'ada', tenant_id: 'acme', scopes: [] };
const use = { name: 'our-github', purpose: 'tool' as const };

const lease: ConnectionLease = {
  connection_id: '019a0b1c-2d3e-7f40-8a5b-6c7d8e9f0a1b',
  name: 'our-github',
  type: 'github',
  fields: {},
  credentials: { token: 'canary' },
  http: null,
  rate_limit_rpm: 60,
  version: 1,
  expires_in: 60,
};

/** Leases whose resolver answers as it is told, and counts how often it is asked. */
function leasesOf(resolve: () => Promise<ConnectionLease>) {
  let tell: (update: ConfigUpdate) => void = () => undefined;
  const asked: string[] = [];
  const resolver = {
    resolve: ({ tenant_id }: Principal, { name }: { name: string }) => {
      asked.push(`${tenant_id}:${name}`);
      return resolve();
    },
  };
  const leases = new ConnectionLeases(resolver, {
    listen: (listener) => {
      tell = listener;
    },
  });
  const change = (id: string): void => {
    tell({ entity: 'connection', id } as ConfigUpdate);
  };
  return { leases, asked, change };
}

describe('ConnectionLeases', () => {
  it('asks once for all who ask, while nothing is heard of a change', async () => {
    const { leases, asked, change } = leasesOf(() => Promise.resolve(lease));

    const [first, second] = await Promise.all([leases.find(ada, use), leases.find(ada, use)]);
    expect(second).toBe(first);
    change('acme:another');
    expect(await leases.find(ada, use)).toBe(first);
    change('acme:our-github');
    expect(await leases.find(ada, use)).not.toBe(first);
    expect(asked).toEqual(['acme:our-github', 'acme:our-github']);
  });

  it('holds what one tenant has for that tenant alone, and shows no credential', async () => {
    const { leases, asked } = leasesOf(() => Promise.resolve(lease));

    const connection = await leases.find(ada, use);
    await leases.find({ ...ada, tenant_id: 'globex' }, use);

    expect(asked).toEqual(['acme:our-github', 'globex:our-github']);
    expect(String(connection.credentials.get('token'))).not.toContain('canary');
  });

  it('remembers that there is none, and no other failure', async () => {
    const missing = new Problem({ status: 404, code: 'connection_not_found', detail: 'None.' });
    const none = leasesOf(() => Promise.reject(missing));
    await expect(none.leases.find(ada, use)).rejects.toBe(missing);
    await expect(none.leases.find(ada, use)).rejects.toBe(missing);
    expect(none.asked).toHaveLength(1);

    const away = leasesOf(() => Promise.reject(new Error('away')));
    await expect(away.leases.find(ada, use)).rejects.toThrow('away');
    await expect(away.leases.find(ada, use)).rejects.toThrow('away');
    expect(away.asked).toHaveLength(2);
  });

  it('asks again when the lease has ended', async () => {
    const { leases, asked } = leasesOf(() => Promise.resolve({ ...lease, expires_in: 0 }));

    await leases.find(ada, use);
    await leases.find(ada, use);

    expect(asked).toHaveLength(2);
  });
});
