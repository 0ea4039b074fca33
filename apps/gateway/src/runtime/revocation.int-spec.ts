import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ConfigUpdate, configUpdates } from '@soma/contracts';
import { CoalescingProducer } from '@soma/messaging';
import { until } from '@soma/testing';
import {
  connectionTo,
  createGatewayServers,
  startGateway,
  type TestGateway,
  type TestServers,
} from '../spec-support.ts';

describe('a token that is revoked', () => {
  const running = new AsyncDisposableStack();
  let servers: TestServers;
  let producer: CoalescingProducer;
  let gateways: TestGateway[];

  beforeAll(async () => {
    servers = await createGatewayServers(running);
    producer = new CoalescingProducer(connectionTo(servers.kafka));
    running.defer(() => producer.onApplicationShutdown());
    gateways = await Promise.all([startPod(), startPod()]);
  });
  afterAll(() => running.disposeAsync());

  async function startPod(): Promise<TestGateway> {
    const gateway = running.use(await startGateway(servers));
    await until(async () => (await fetch(`${gateway.url}/v1/health/ready`)).ok);
    return gateway;
  }

  async function revoke(subject: string): Promise<void> {
    const now = new Date();
    const update: ConfigUpdate = {
      ...{ schema: configUpdates.version, entity: 'principal', id: `acme:${subject}` },
      ...{ version: Math.floor(now.getTime() / 1000), deleted: false, tenant_id: 'acme' },
      occurred_at: now.toISOString(),
    };
    const key = configUpdates.key(update);
    await producer.send({ topic: configUpdates.name, key, value: JSON.stringify(update) });
  }

  async function statusOf(gateway: TestGateway, token: string): Promise<number> {
    const headers = { authorization: `Bearer ${token}` };
    return (await fetch(`${gateway.url}/v1/models`, { headers })).status;
  }

  const statuses = (token: string): Promise<number[]> =>
    Promise.all(gateways.map((gateway) => statusOf(gateway, token)));

  it('is refused by every pod within a second, and by one that starts later', async () => {
    const token = await servers.issuer.tokenFor('acme', 'gateway', { subject: 'ann' });
    const other = await servers.issuer.tokenFor('acme', 'gateway', { subject: 'bob' });
    // Both remember it now.
    expect(await statuses(token)).toEqual([200, 200]);

    await revoke('ann');
    await until(async () => (await statuses(token)).every((status) => status === 401), 1_000);

    expect(await statusOf(await startPod(), token)).toBe(401);
    expect(await statuses(other)).toEqual([200, 200]);
  });
});
