import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newIdentifier, type Problem, sleep, TransientError } from '@soma/kernel';
import { type TcpProxy, until } from '@soma/testing';
import { startTestRedis, type TestRedis } from '../redis/spec-support.ts';
import { LocalPermits } from './local-permits.ts';
import type { PermitStore } from './permit-store.ts';
import { type Permit, Permits } from './permits.ts';
import { RedisPermits } from './redis-permits.ts';
import {
  type ConnectionCall,
  permitKey,
  WithConnectionRateLimit,
} from './with-connection-rate-limit.ts';

const PATIENT = { deadlineMs: 20_000 };
const AT_ONCE = { deadlineMs: 0 };

describe('permits', () => {
  const running = new AsyncDisposableStack();
  let connect: TestRedis['connect'];
  let proxy: TcpProxy;

  beforeAll(async () => {
    ({ connect, proxy } = await startTestRedis(running));
  });
  afterAll(() => running.disposeAsync());

  const newPod = async (port?: number): Promise<Permits> =>
    new Permits(await connect(port), 20_000);

  /** How many of so many are granted at once. */
  async function takeMany(pods: Permits[], key: string, perMinute: number): Promise<Permit[]> {
    const limits = { perMinute, concurrency: 1_000 };
    const asked = pods.flatMap((pod) =>
      Array.from({ length: 2 * perMinute }, () => pod.take(key, limits, AT_ONCE)),
    );
    const outcomes = await Promise.allSettled(asked);
    return outcomes.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  }

  describe.each<[string, () => Promise<PermitStore>]>([
    ['in Redis', async () => new RedisPermits(await connect())],
    ['in this process', () => Promise.resolve(new LocalPermits())],
  ])('counted %s', (_where, make) => {
    const limits = { perMinute: 3, concurrency: 2 };
    let store: PermitStore;
    let key: string;
    beforeAll(async () => {
      store = await make();
    });
    const ask = (id: string, patienceMs = 60_000): ReturnType<PermitStore['ask']> =>
      store.ask({ key, id }, limits, patienceMs);

    it('grants as many at once as may be held, and the next when one is given back', async () => {
      key = newIdentifier();
      const kinds = [await ask('a'), await ask('b'), await ask('c')].map(({ kind }) => kind);
      await store.release({ key, id: 'a' });

      expect(kinds).toEqual(['granted', 'granted', 'queued']);
      expect(await ask('c')).toMatchObject({ kind: 'granted' });
    });

    it('grants as many in a minute as there may be, and says when the next comes', async () => {
      key = newIdentifier();
      for (const id of ['a', 'b', 'c']) {
        expect(await ask(id)).toMatchObject({ kind: 'granted' });
        await store.release({ key, id });
      }
      const first = await ask('d');
      const second = await ask('e');

      expect([first.kind, second.kind]).toEqual(['queued', 'queued']);
      // One comes every 20 s, and each who waits has another one.
      expect(first).toMatchObject({ afterMs: expect.any(Number) });
      const [one, two] = [first, second].map((each) => ('afterMs' in each ? each.afterMs : 0));
      expect(one).toBeGreaterThan(5_000);
      expect(one).toBeLessThanOrEqual(20_000);
      expect(Number(two) - Number(one)).toBeGreaterThan(10_000);
      expect(await ask('f', 100)).toMatchObject({ kind: 'refused' });
    });

    it('lets nobody overtake, and nobody who has left stand in the way', async () => {
      key = newIdentifier();
      await ask('a');
      await ask('b');
      const waiting = [await ask('c'), await ask('d')].map(({ kind }) => kind);
      await store.release({ key, id: 'a' });
      const late = await ask('d');
      await store.release({ key, id: 'c' });

      expect([...waiting, late.kind]).toEqual(['queued', 'queued', 'queued']);
      expect(await ask('d')).toMatchObject({ kind: 'granted' });
    });

    it('grants nothing while it is paused, and never pauses for less', async () => {
      key = newIdentifier();
      await store.pause(key, 30_000);
      await store.pause(key, 10);

      const asked = await ask('a');
      expect(asked.kind).toBe('queued');
      expect('afterMs' in asked && asked.afterMs).toBeGreaterThan(15_000);
      expect(await ask('b', 1_000)).toMatchObject({ kind: 'refused' });
    });
  });

  it('keeps the permit of who renews it, and makes no new one of it', async () => {
    const limits = { perMinute: 100, concurrency: 1 };
    let now = 0;
    const local = new LocalPermits(() => now);
    await local.ask({ key: 'k', id: 'a' }, limits, 0);
    now = 100_000;
    await local.renew({ key: 'k', id: 'a' });
    await local.renew({ key: 'k', id: 'gone' });
    now = 200_000;
    expect(await local.ask({ key: 'k', id: 'b' }, limits, 60_000)).toMatchObject({
      kind: 'queued',
    });
    now = 221_000;
    expect(await local.ask({ key: 'k', id: 'b' }, limits, 0)).toMatchObject({ kind: 'granted' });

    const redis = await connect();
    const shared = new RedisPermits(redis);
    const held = (): Promise<string[]> =>
      redis.client.zrange('permits:{renewed}:held', '0', '-1', 'WITHSCORES');
    await shared.ask({ key: 'renewed', id: 'a' }, limits, 0);
    const [, endsAt] = await held();
    await until(async () => {
      await shared.renew({ key: 'renewed', id: 'a' });
      return Number((await held())[1]) > Number(endsAt);
    });
    await shared.renew({ key: 'renewed', id: 'gone' });
    expect(await held()).toEqual(['a', expect.any(String)]);
  });

  it('counts over all pods together, each key by itself', async () => {
    const pods = [await newPod(), await newPod()];

    expect(await takeMany(pods, 'together', 5)).toHaveLength(5);
    expect(await takeMany(pods, 'alone', 4)).toHaveLength(4);
  });

  it('serves those who wait in the order in which they came, whichever pod they are in', async () => {
    const pods = [await newPod(), await newPod()];
    const limits = { perMinute: 6_000, concurrency: 1 };
    const served: number[] = [];
    const all: Promise<void>[] = [];
    for (let turn = 0; turn < 10; turn++) {
      const taking = pods[turn % 2]?.take('fair', limits, PATIENT).then(async (permit) => {
        served.push(turn);
        await sleep(5);
        await permit.release();
      });
      all.push(taking ?? Promise.resolve());
      await sleep(20);
    }
    await Promise.all(all);

    expect(served).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('leaves the line when its caller does', async () => {
    const pod = await newPod();
    const limits = { perMinute: 100, concurrency: 1 };
    const first = await pod.take('left', limits, PATIENT);
    const leaving = new AbortController();
    const second = pod.take('left', limits, { ...PATIENT, signal: leaving.signal });
    const third = pod.take('left', limits, PATIENT);
    leaving.abort();

    await expect(second).rejects.toMatchObject({ name: 'AbortError' });
    await first.release();
    await (await third).release();
  });

  it('has all pods wait when the other side says so, and says until when', async () => {
    const [pod, other] = [await newPod(), await newPod()];
    class Tool {
      constructor(readonly permits: Permits) {}

      @WithConnectionRateLimit()
      call({ connection }: ConnectionCall): Promise<string> {
        const tried = `A call to ${connection.connectionId}`;
        return Promise.reject(new TransientError(tried, { retryAfterMs: 30_000 }));
      }
    }
    const limits = { perMinute: 60, concurrency: 5 };
    const call = {
      connection: { tenantId: 'acme', connectionId: 'c-1', limits },
      deadlineMs: 1_000,
    };
    await expect(new Tool(pod).call(call)).rejects.toThrow(TransientError);

    const refused = other.take(permitKey('acme', 'c-1'), limits, { deadlineMs: 1_000 });
    await expect(refused).rejects.toMatchObject({ status: 429, code: 'connection_rate_limited' });
    const headers = await refused.catch((error: unknown) => (error as Problem).headers);
    expect(Number((headers as Problem['headers'])['retry-after'])).toBeGreaterThan(15);
  });

  it('tells Redis later what it did not hear: permits that are back, and pauses', async () => {
    const pod = await newPod(proxy.port);
    const other = await newPod();
    const limits = { perMinute: 6_000, concurrency: 1 };
    const isGranted = (at: Permits, key: string): Promise<boolean> =>
      at.take(key, limits, AT_ONCE).then(
        async (permit) => {
          await permit.release();
          return true;
        },
        () => false,
      );
    const permit = await pod.take('returned', limits, AT_ONCE);

    proxy.cut();
    await permit.release();
    await pod.pause('paused', 60_000);
    proxy.restore();

    expect(await isGranted(other, 'returned')).toBe(false);
    // Whether anybody asks the first pod or not.
    await until(() => isGranted(other, 'returned'));
    expect(await isGranted(other, 'paused')).toBe(false);
  });

  it('waits for a Redis that hangs once, and not with each permit that is back', async () => {
    const pod = new Permits(await connect(proxy.port));
    const limits = { perMinute: 6_000, concurrency: 100 };
    const permits = await Promise.all(
      Array.from({ length: 100 }, () => pod.take('hanging', limits, PATIENT)),
    );
    proxy.delay(60_000);
    const begun = performance.now();
    for (const permit of permits) await permit.release();

    // 100 times as long as it is waited for would be 15 seconds.
    expect(performance.now() - begun).toBeLessThan(10_000);
    proxy.cut();
    proxy.delay(0);
    proxy.restore();
  });

  it('goes on by the same limits in each pod while Redis is away, and comes back to it', async () => {
    const pod = await newPod(proxy.port);
    const other = await newPod();
    await takeMany([pod], 'before', 1);

    proxy.cut();
    expect(await takeMany([pod], 'away', 3)).toHaveLength(3);
    expect(await takeMany([pod], 'away', 3)).toHaveLength(0);

    proxy.restore();
    await takeMany([other], 'back', 3);
    let tries = 0;
    // What the other pod took is missing here once they count together.
    await until(async () => {
      const key = `back-${++tries}`;
      await takeMany([other], key, 3);
      return (await takeMany([pod], key, 3)).length === 0;
    });
  });
});
