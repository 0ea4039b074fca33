import { createPublicKey, type JsonWebKey, verify } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sleep } from '@soma/kernel';
import { until } from '@soma/testing';
import { Deployment, SERVICE_SECRET } from './spec-support.ts';

/** As in production, in seconds where it has minutes. */
const CACHE_MS = 2_000;
const TOKEN_LIFE_MS = 3_000;
const LIFETIMES = { publishLeadMs: 6_000, tokenLifeMs: 2 * TOKEN_LIFE_MS, rotateEveryMs: 1e9 };
const CLIENTS = 6;

interface Jwk extends JsonWebKey {
  kid: string;
}

/** Verifies as a service does that never asks before its copy of the keys has had its time. */
class Verifier {
  private keys: Jwk[] = [];
  private staleAt = 0;

  constructor(private readonly pod: string) {}

  async verifies(token: string): Promise<boolean> {
    if (performance.now() >= this.staleAt) {
      const answer = await fetch(new URL('/.well-known/jwks.json', this.pod));
      this.staleAt = performance.now() + CACHE_MS;
      this.keys = ((await answer.json()) as { keys: Jwk[] }).keys;
    }
    const [header = '', payload = '', signature = ''] = token.split('.');
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string };
    const key = this.keys.find((each) => each.kid === kid);
    return (
      key !== undefined &&
      verify(
        'sha256',
        Buffer.from(`${header}.${payload}`),
        { key: createPublicKey({ key, format: 'jwk' }), dsaEncoding: 'ieee-p1363' },
        Buffer.from(signature, 'base64url'),
      )
    );
  }
}

describe('changing the signing key', () => {
  const running = new AsyncDisposableStack();
  let deployment: Deployment;
  let pods: string[];

  beforeAll(async () => {
    deployment = running.use(await Deployment.start());
    pods = await Promise.all(
      [1, 2].map(async () => (await deployment.startPod({ lifetimes: LIFETIMES })).getUrl()),
    );
  });
  afterAll(() => running.disposeAsync());

  async function obtain(pod: string): Promise<string> {
    const answer = await fetch(new URL('/oauth/token', pod), {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`robot:${SERVICE_SECRET}`)}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    const { access_token } = (await answer.json()) as { access_token?: string };
    if (access_token === undefined) throw new Error(`No token: ${answer.status}`);
    return access_token;
  }

  it('fails no request, neither for a token nor with one', async () => {
    const stop = new AbortController();
    const used = new Map<string, number>();
    const failures: string[] = [];
    const [one = '', other = ''] = pods;

    /** Asks one pod for tokens, and shows each of them for some time to one that asks the other. */
    async function work(client: number): Promise<void> {
      const [pod, elsewhere] = client % 2 === 0 ? [one, other] : [other, one];
      const verifier = new Verifier(elsewhere);
      let held: { token: string; until: number }[] = [];
      while (!stop.signal.aborted) {
        const token = await obtain(pod);
        used.set(kidOf(token), (used.get(kidOf(token)) ?? 0) + 1);
        held.push({ token, until: performance.now() + TOKEN_LIFE_MS });
        held = held.filter(({ until }) => performance.now() < until);
        const checks = await Promise.all(held.map((each) => verifier.verifies(each.token)));
        failures.push(
          ...held.filter((_, index) => !checks[index]).map((each) => kidOf(each.token)),
        );
        await sleep(50);
      }
    }

    const working = Promise.all(
      Array.from({ length: CLIENTS }, (_, client) =>
        work(client).catch((error: unknown) => failures.push(String(error))),
      ),
    );
    for (let rotation = 1; rotation <= 2; rotation += 1) {
      await deployment.database.execute(
        'INSERT INTO identity.key_rotations (rotation_id) VALUES (gen_random_uuid())',
      );
      await until(() => used.size > rotation);
    }
    stop.abort();
    await working;

    expect(failures).toEqual([]);
    expect(used.size).toBe(3);
  });
});

function kidOf(token: string): string {
  const [header = ''] = token.split('.');
  return (JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string }).kid;
}
