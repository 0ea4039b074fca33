import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Quota, sleep } from '@soma/kernel';
import { freePort, type TcpProxy, until } from '@soma/testing';
import { RateLimits } from './rate-limits.ts';
import { startTestRedis, type TestRedis } from './spec-support.ts';

const QUOTA = { limit: 5, windowMs: 60_000 };

describe('RateLimits', () => {
  const running = new AsyncDisposableStack();
  let connect: TestRedis['connect'];
  let proxy: TcpProxy;

  beforeAll(async () => {
    ({ connect, proxy } = await startTestRedis(running));
  });
  afterAll(() => running.disposeAsync());

  const startPod = async (port?: number): Promise<RateLimits> =>
    new RateLimits(await connect(port));

  /** How many of so many are granted to each pod at once. */
  async function takeMany(
    pods: RateLimits[],
    of: { key: string; each: number; quota?: Quota },
  ): Promise<number> {
    const { key, each, quota = QUOTA } = of;
    const grants = await Promise.all(
      pods.flatMap((pod) => Array.from({ length: each }, () => pod.take(key, quota))),
    );
    return grants.filter(({ granted }) => granted === 1).length;
  }

  it('counts over all pods together, each key by itself', async () => {
    const pods = [await startPod(), await startPod()];

    expect(await takeMany(pods, { key: 'together', each: 20 })).toBe(5);
    expect(await takeMany(pods, { key: 'together', each: 2 })).toBe(0);
    expect(await takeMany(pods, { key: 'alone', each: 2 })).toBe(4);
  });

  it('says what is left and when there is more', async () => {
    const pod = await startPod();
    const both = await Promise.all([pod.take('left', QUOTA), pod.take('left', QUOTA)]);
    const third = await pod.take('left', QUOTA);

    expect([...both, third].map(({ remaining }) => remaining)).toEqual([4, 3, 2]);
    expect(third.resetMs).toBeGreaterThan(0);
    expect(third.resetMs).toBeLessThanOrEqual(QUOTA.windowMs);
  });

  it('takes a part of a large quota at once, and gives no more than all of it', async () => {
    const [pod, peer] = [await startPod(), await startPod()];
    const large = { limit: 1_000, windowMs: 60_000 };
    const one = await pod.take('large', large);
    const other = await peer.take('large', large);

    // What each holds is nobody's else: 20 are taken, of which 2 were asked for.
    expect([one.remaining, other.remaining]).toEqual([999, 989]);
    expect(await takeMany([pod, peer], { key: 'large', each: 700, quota: large })).toBe(998);
    expect(await takeMany([pod, peer], { key: 'large', each: 2, quota: large })).toBe(0);
  });

  it('asks Redis for nothing while it holds some', async () => {
    const pod = await startPod(proxy.port);
    const large = { limit: 1_000, windowMs: 60_000 };
    const left = [(await pod.take('held', large)).remaining];

    proxy.delay(2_000);
    for (let asked = 1; asked < 10; asked++) left.push((await pod.take('held', large)).remaining);
    proxy.delay(0);

    // Counted by itself it would begin anew.
    expect(left).toEqual([999, 998, 997, 996, 995, 994, 993, 992, 991, 990]);
  });

  it('gives back what has left the window', async () => {
    const pod = await startPod();
    const short = { limit: 2, windowMs: 1_000 };
    await Promise.all([pod.take('short', short), pod.take('short', short)]);
    const { granted, resetMs } = await pod.take('short', short);

    await sleep(resetMs + 5);

    expect([granted, (await pod.take('short', short)).granted]).toEqual([0, 1]);
  });

  it('goes on by the same limits in each pod while Redis is away, never by none', async () => {
    const pods = [await startPod(await freePort()), await startPod(await freePort())];

    expect(await takeMany(pods, { key: 'away', each: 20 })).toBe(10);
  });

  it('does not wait for a Redis that hangs, and comes back to it', async () => {
    const pod = await startPod(proxy.port);
    const other = await startPod();
    expect(await takeMany([pod], { key: 'hangs', each: 2 })).toBe(2);

    proxy.delay(2_000);
    const begun = performance.now();
    expect(await takeMany([pod], { key: 'hangs', each: 9 })).toBe(5);
    expect(await takeMany([pod], { key: 'hangs', each: 9 })).toBe(0);
    const tookMs = performance.now() - begun;

    proxy.delay(0);
    let tries = 0;
    // What the other pod took is missing here once they count together.
    await until(async () => {
      const key = `back-${++tries}`;
      await takeMany([other], { key, each: 5 });
      return (await takeMany([pod], { key, each: 1 })) === 0;
    });
    // One wait for Redis, not one for each request.
    expect(tookMs).toBeLessThan(1_000);
  });
});
