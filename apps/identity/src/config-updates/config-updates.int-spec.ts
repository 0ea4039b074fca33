import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ConfigUpdate } from '@soma/contracts';
import { type ConfigChange, ConfigUpdates } from '@soma/messaging';
import { TenantTransaction } from '@soma/persistence';
import { until } from '@soma/testing';
import {
  createIdentityServers,
  type IdentityServers,
  startIdentity,
  type TestIdentity,
  listenToUpdates,
} from '../spec-support.ts';

describe('config updates', () => {
  const running = new AsyncDisposableStack();
  let heard: ConfigUpdate[];
  let servers: IdentityServers;
  let pods: TestIdentity[];

  beforeAll(async () => {
    servers = await createIdentityServers(running);
    pods = await Promise.all([startIdentity(servers, running), startIdentity(servers, running)]);
    heard = await listenToUpdates(servers, running);
  });
  afterAll(() => running.disposeAsync());

  async function append(change: Partial<ConfigChange>, pod = 0): Promise<void> {
    const service = pods[pod]?.service;
    const whole = { ...KEY, ...change };
    await service
      ?.get(TenantTransaction, { strict: false })
      .run(whole.tenant_id, (manager) =>
        service.get(ConfigUpdates, { strict: false }).append(manager, whole),
      );
  }

  function heardOf(id: string): ConfigUpdate[] {
    return heard.filter((update) => update.id === id);
  }

  function hear(id: string, count = 1): Promise<ConfigUpdate[]> {
    return until(() => {
      const updates = heardOf(id);
      return Promise.resolve(updates.length >= count ? updates : undefined);
    });
  }

  it('reach every process within a second', async () => {
    await append({ id: 'acme:warm' });
    await hear('acme:warm');
    const started = performance.now();
    await append({ id: 'acme:quick' });

    const [update] = await hear('acme:quick');

    expect(performance.now() - started).toBeLessThan(1_000);
    expect(update).toMatchObject({ ...KEY, id: 'acme:quick', schema: 'config.updates.v1' });
  });

  it('are told only when the change is committed', async () => {
    const service = pods[0]?.service;
    const failing = service
      ?.get(TenantTransaction, { strict: false })
      .run('acme', async (manager) => {
        await service
          .get(ConfigUpdates, { strict: false })
          .append(manager, { ...KEY, id: 'acme:undone' });
        throw new Error('undone');
      });

    await expect(failing).rejects.toThrow('undone');
    await append({ id: 'acme:done' });
    await hear('acme:done');
    expect(heardOf('acme:undone')).toEqual([]);
  });

  it('end with the newest state of an entity, whichever pods write it', async () => {
    const versions = Array.from({ length: 20 }, (_, index) => index + 1);
    await Promise.all(versions.map((version) => append({ id: 'acme:busy', version }, version % 2)));

    await until(async () => {
      const [row] = await servers.database.execute(
        `SELECT version FROM identity.config_updates
          WHERE entity_id = 'acme:busy' AND published_at IS NOT NULL`,
      );
      return heardOf('acme:busy').at(-1)?.version === Number(row?.['version']);
    });

    const told = heardOf('acme:busy').map(({ version }) => version);
    expect(told).toEqual(told.toSorted((left, right) => left - right));
    // Each change is told as a newer one, whatever version it came with.
    expect(told.at(-1)).toBeGreaterThanOrEqual(20);
  });

  it('wait for their time, unless something takes effect earlier', async () => {
    const at = new Date(Date.now() + 60_000);
    await append({ id: 'acme:later', at });
    await append({ id: 'acme:soon', at: new Date(Date.now() + 300) });
    await hear('acme:soon');
    expect(heardOf('acme:later')).toEqual([]);

    await append({ id: 'acme:later', deleted: true });

    expect(await hear('acme:later')).toHaveLength(1);
  });
});

const KEY: ConfigChange = {
  tenant_id: 'acme',
  entity: 'api_key',
  id: 'acme:k',
  version: 1,
  deleted: false,
};
