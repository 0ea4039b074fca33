/*
 * Two routes of one Fastify: one checks the token with jose and answers, the other also asks for a
 * connection whose lease is held. Asked with a number of requests, it answers how long each took for
 * one, in microseconds.
 */
import type { AddressInfo } from 'node:net';
import { ConnectionLeases } from '@soma/connections';
import { fastify } from 'fastify';
import { createLocalJWKSet, exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose';

const { privateKey, publicKey } = await generateKeyPair('ES256');
const keys = createLocalJWKSet({ keys: [{ ...(await exportJWK(publicKey)), alg: 'ES256' }] });
const token = await new SignJWT({ tenant: 'acme' })
  .setProtectedHeader({ alg: 'ES256' })
  .setExpirationTime('1 hour')
  .sign(privateKey);
const headers = { authorization: `Bearer ${token}` };

const lease = {
  connection_id: '0190f0c2-7c1a-7d3e-9b1f-2a6f5e4d3c2b',
  name: 'our-github',
  type: 'github',
  fields: { api_url: 'https://api.github.com' },
  credentials: { token: 'github_pat_1' },
  http: null,
  rate_limit_rpm: 60,
  version: 1,
  expires_in: 3_600,
};
const leases = new ConnectionLeases(
  { resolve: () => Promise.resolve(lease) },
  { listen: () => undefined },
);

const app = fastify();
app.addHook('onRequest', async ({ headers: { authorization = '' } }) => {
  await jwtVerify(authorization.slice('Bearer '.length), keys);
});
app.get('/bare', () => ({ type: 'github', version: 1 }));
app.get('/soma', async () => {
  const principal = { subject: 'worker', tenant_id: 'acme', scopes: [] };
  const { type, version } = await leases.find(principal, { name: 'our-github', purpose: 'tool' });
  return { type, version };
});
await app.listen({ port: 0, host: '127.0.0.1' });
const { port } = app.server.address() as AddressInfo;

process.on('message', ({ requests }: { requests?: number }) => {
  if (requests !== undefined) void measure(requests).then((times) => process.send?.(times));
});

/** In turn, and each as often first: what the machine does besides meets both. */
async function measure(count: number): Promise<{ soma: number; bare: number }> {
  const times = { soma: 0, bare: 0 };
  for (let index = 0; index < count; index += 1) {
    const order = index % 2 === 0 ? (['soma', 'bare'] as const) : (['bare', 'soma'] as const);
    for (const name of order) {
      const startedAt = performance.now();
      await (await fetch(`http://127.0.0.1:${port}/${name}`, { headers })).text();
      times[name] += ((performance.now() - startedAt) * 1000) / count;
    }
  }
  return times;
}

process.send?.('ready');
