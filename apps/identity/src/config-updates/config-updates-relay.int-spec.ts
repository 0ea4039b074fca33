import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ConfigUpdate } from '@soma/contracts';
import { Secret, sleep } from '@soma/kernel';
import {
  CoalescingProducer,
  ConfigUpdates,
  ConfigUpdatesRelay,
  type OutgoingRecord,
} from '@soma/messaging';
import { openDataSource, SweepTransaction, TenantTransaction } from '@soma/persistence';
import { until } from '@soma/testing';
import type { DataSource } from 'typeorm';
import {
  connectionTo,
  createIdentityServers,
  type IdentityServers,
  listenToUpdates,
} from '../spec-support.ts';

/** A producer whose pod is slow: it sends only when it is let. */
class HeldProducer extends CoalescingProducer {
  readonly begun = Promise.withResolvers<undefined>();
  readonly gate = Promise.withResolvers<undefined>();

  override async sendAll(records: readonly OutgoingRecord[]): Promise<void> {
    this.begun.resolve(undefined);
    await this.gate.promise;
    await super.sendAll(records);
  }
}

describe('ConfigUpdatesRelay', () => {
  const running = new AsyncDisposableStack();
  let heard: ConfigUpdate[];
  let servers: IdentityServers;
  let dataSource: DataSource;

  beforeAll(async () => {
    servers = await createIdentityServers(running);
    const url = new Secret(await servers.database.loginUrl('identity'));
    dataSource = await openDataSource({ url });
    running.defer(() => dataSource.destroy());
    heard = await listenToUpdates(servers, running);
  });
  afterAll(() => running.disposeAsync());

  function startRelay(producer: CoalescingProducer): void {
    const relay = new ConfigUpdatesRelay(
      'identity',
      new SweepTransaction(dataSource, 'identity_sweep'),
      producer,
    );
    running.defer(() => producer.onApplicationShutdown());
    running.defer(() => relay.onApplicationShutdown());
    relay.onApplicationBootstrap();
  }

  function append(version: number): Promise<void> {
    const key = { tenant_id: 'acme', entity: 'api_key', id: 'acme:k', deleted: true } as const;
    return new TenantTransaction(dataSource).run('acme', (manager) =>
      new ConfigUpdates('identity').append(manager, { ...key, version }),
    );
  }

  it('keeps the order of an entity where one pod is slow and another is not', async () => {
    const slow = new HeldProducer(connectionTo(servers.kafka));
    await append(1);
    startRelay(slow);
    await slow.begun.promise;
    await append(2);
    startRelay(new CoalescingProducer(connectionTo(servers.kafka)));
    // Time in which the other pod would send the second update, and many more would come.
    await sleep(1_000);
    slow.gate.resolve(undefined);

    await until(() => heard.some(({ version }) => version === 2));
    await sleep(300);

    expect(heard.map(({ version }) => version)).toEqual([1, 2]);
  });
});
