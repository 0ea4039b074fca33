import { hash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort, startTraceCollector, type TraceCollector } from '@soma/testing';
import { until } from './client.ts';
import { readLogs, readPod, readRedis, readTables, readTopics } from './sinks.ts';
import { type Pod, startSystem, type System } from './system.ts';

const SCOPES = [
  'sessions:read',
  'sessions:write',
  'models:read',
  'api_keys:read',
  'api_keys:write',
];
const secretText = (): string => randomBytes(32).toString('base64url');

describe('credentials', () => {
  const running = new AsyncDisposableStack();
  const [clientSecret, wrongSecret, masterKey] = [
    secretText(),
    secretText(),
    randomBytes(32).toString('base64'),
  ];
  let collector: TraceCollector;
  let system: System;
  let gateway: Pod;

  beforeAll(async () => {
    collector = running.use(await startTraceCollector());
    const folder = await mkdtemp(join(tmpdir(), 'soma-clients-'));
    running.defer(() => rm(folder, { recursive: true }));
    const clientsFile = join(folder, 'clients.json');
    const client = {
      ...{ client_id: 'agent', tenant_id: 'acme', scopes: SCOPES, audiences: ['gateway'] },
      client_secret_hash: hash('sha256', clientSecret),
    };
    await writeFile(clientsFile, JSON.stringify([client]));
    const settings = { IDENTITY_CLIENTS_FILE: clientsFile, SOMA_MASTER_KEY: masterKey };
    system = await startSystem(running, {
      identity: { port: await freePort(), settings },
      environment: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, LOG_LEVEL: 'trace' },
    });
    [gateway] = system.gateways as [Pod];
  }, 120_000);

  afterAll(() => running.disposeAsync());

  /** A form, sent by whom the credential names. */
  async function sendForm(
    path: string,
    form: Record<string, string>,
    credential: string,
  ): Promise<{ status: number; body: Record<string, unknown> }> {
    const response = await fetch(gateway.url + path, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(credential)}` },
      body: new URLSearchParams(form),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  async function obtainToken(credential: string): Promise<string> {
    const form = { grant_type: 'client_credentials' };
    const { status, body } = await sendForm('/oauth/token', form, credential);
    expect([status, body]).toEqual([200, expect.anything()]);
    return String(body['access_token']);
  }

  async function ask(token: string, path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    return fetch(gateway.url + path, { ...init, headers });
  }

  /** A key of a partner: made, exchanged, used, and taken back. */
  async function useKey(token: string): Promise<{ key: string; keyToken: string }> {
    const body = JSON.stringify({ name: 'Bot', scopes: ['models:read', 'sessions:write'] });
    const made = await ask(token, '/v1/api-keys', { method: 'POST', body });
    expect(made.status).toBe(201);
    const { key_id, key } = (await made.json()) as { key_id: string; key: string };
    const keyToken = await obtainToken(`${key_id}:${key}`);
    expect((await ask(keyToken, '/v1/models')).status).toBe(200);
    // It stands where no key belongs, too.
    expect((await ask(key, '/v1/models')).status).toBe(401);

    expect((await ask(token, `/v1/api-keys/${key_id}`, { method: 'DELETE' })).status).toBe(204);

    const isRefused = async (): Promise<boolean> =>
      (await ask(keyToken, '/v1/models')).status === 401;
    await until(isRefused, 1_000);
    return { key, keyToken };
  }

  it('of programs and partners are in no log, event, record, row, metric or trace (P8)', async () => {
    const token = await obtainToken(`agent:${clientSecret}`);
    const { key, keyToken } = await useKey(token);
    const wrong = await sendForm(
      '/oauth/token',
      { grant_type: 'client_credentials' },
      `agent:${wrongSecret}`,
    );
    const looked = await sendForm('/oauth/introspect', { token }, `agent:${clientSecret}`);
    expect([wrong.status, looked.status]).toEqual([401, 200]);
    const message = JSON.stringify({ message: 'by a program', session_id: randomUUID() });
    await ask(token, '/v1/session/message', { method: 'POST', body: message });

    const pods = [...system.gateways, ...system.workers, system.identity].filter(
      (pod) => pod !== undefined,
    );
    const headers = { authorization: `Bearer ${token}` };
    const states = await Promise.all(pods.map((pod) => readPod(pod, headers)));
    const stores = await Promise.all(
      [readTables, readRedis, readTopics].map((read) => read(system)),
    );
    await Promise.all(pods.map((pod) => pod.stop()));
    const traces = collector.requests.map(({ body }) => body.toString('latin1')).join('\n');
    const sinks = [...states, ...stores, await readLogs(system)].flatMap((each) => [...each]);
    sinks.push(['traces', traces]);

    const secrets = {
      ...{ clientSecret, wrongSecret, masterKey, token, key, keyToken },
      databasePassword: system.databasePassword,
      clientCredential: btoa(`agent:${clientSecret}`),
      signature: token.split('.').at(-1),
      keySignature: keyToken.split('.').at(-1),
      partOfKey: key.split('_').slice(2).join('_'),
    };
    for (const [secret, value = ''] of Object.entries(secrets)) {
      expect(value.length).toBeGreaterThan(8);
      const seenIn = sinks.filter(([, text]) => text.includes(value)).map(([sink]) => sink);
      expect({ secret, seenIn }).toEqual({ secret, seenIn: [] });
    }
    // Else nothing was looked at.
    const text = sinks.map(([, each]) => each).join('\n');
    for (const part of ['by a program', 'api_key.created', 'api_key:acme:', '/oauth/token']) {
      expect(text).toContain(part);
    }
  }, 120_000);
});
