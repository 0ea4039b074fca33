import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ConfigUpdate, configUpdates } from '@soma/contracts';
import { CoalescingProducer } from '@soma/messaging';
import { type AccessServers, installedTool, startAccessServers, until } from '@soma/testing';
import { WebSocket } from 'ws';
import {
  connectionTo,
  createGatewayServers,
  startGateway,
  type TestServers,
} from '../spec-support.ts';

const LIMIT_MS = 2_000;
const describeWatch = installedTool('opa') && installedTool('openfga') ? describe : describe.skip;

interface OpenStreams {
  /** Resolves with how each ended. */
  ended: Promise<{ socket: number; events: 'ended' }>;
  areOpen: () => boolean;
}

describeWatch('streams that are open', () => {
  const running = new AsyncDisposableStack();
  let servers: TestServers;
  let access: AccessServers;
  let producer: CoalescingProducer;
  let url: string;

  beforeAll(async () => {
    [servers, access] = await Promise.all([
      createGatewayServers(running),
      startAccessServers(running),
    ]);
    await access.relate(...['ann', 'bob', 'cleo'].map(memberOf));
    producer = new CoalescingProducer(connectionTo(servers.kafka));
    running.defer(() => producer.onApplicationShutdown());
    url = running.use(await startGateway(servers, access.settings)).url;
    await until(async () => (await fetch(`${url}/v1/health/ready`)).ok);
  });

  afterAll(() => running.disposeAsync());

  function memberOf(name: string): { user: string; relation: string; object: string } {
    return { user: `user:${name}`, relation: 'member', object: 'tenant:acme' };
  }

  async function headersOf(subject: string): Promise<Record<string, string>> {
    const token = await servers.issuer.tokenFor('acme', 'gateway', { subject, role: 'member' });
    return { authorization: `Bearer ${token}` };
  }

  /** Opens both kinds of stream on a session of somebody's own. */
  async function openBoth(subject: string): Promise<OpenStreams> {
    const headers = await headersOf(subject);
    const session_id = `of-${subject}`;
    await fetch(`${url}/v1/session/message`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ session_id, message: 'Hello' }),
    });
    const socket = new WebSocket(`${url}/v1/session/${session_id}/stream`, { headers });
    await once(socket, 'open');
    const events = await fetch(`${url}/v1/session/${session_id}/events`, { headers });
    const closed = once(socket, 'close').then(([code]) => code as number);
    let open = 2;
    const note = <Value>(value: Value): Value => {
      open -= 1;
      return value;
    };
    const ended = Promise.all([closed.then(note), events.text().then(note)]);
    return {
      ended: ended.then(([code]) => ({ socket: code, events: 'ended' })),
      areOpen: () => open === 2,
    };
  }

  async function announce(change: Pick<ConfigUpdate, 'entity' | 'id'>): Promise<void> {
    const now = new Date();
    const update: ConfigUpdate = {
      ...{ schema: configUpdates.version, ...change, tenant_id: 'acme', deleted: false },
      ...{ version: Math.floor(now.getTime() / 1000), occurred_at: now.toISOString() },
    };
    const key = configUpdates.key(update);
    await producer.send({ topic: configUpdates.name, key, value: JSON.stringify(update) });
  }

  it('end within two seconds when the tokens of their principal are revoked', async () => {
    const anns = await openBoth('ann');
    const bobs = await openBoth('bob');

    await announce({ entity: 'principal', id: 'acme:ann' });
    const revokedAt = performance.now();

    expect(await anns.ended).toEqual({ socket: 1008, events: 'ended' });
    expect(performance.now() - revokedAt).toBeLessThan(LIMIT_MS);
    expect(bobs.areOpen()).toBe(true);
  });

  it('end within two seconds when their principal has left the tenant', async () => {
    const cleos = await openBoth('cleo');
    const bobs = await openBoth('bob');

    await access.unrelate(memberOf('cleo'));
    await announce({ entity: 'relationships', id: 'acme' });
    const leftAt = performance.now();

    expect(await cleos.ended).toEqual({ socket: 1008, events: 'ended' });
    expect(performance.now() - leftAt).toBeLessThan(LIMIT_MS);
    expect(bobs.areOpen()).toBe(true);
    const again = await fetch(`${url}/v1/session/of-cleo/events`, {
      headers: await headersOf('cleo'),
    });
    expect(again.status).toBe(404);
  });

  it('carry nothing out for those who may only read', async () => {
    const subject = 'reader';
    await access.relate({ user: 'user:reader', relation: 'viewer', object: 'tenant:acme' });
    await access.relate({
      user: 'user:reader',
      relation: 'shared_writer',
      object: 'session:acme/of-bob',
    });
    await openBoth('bob');
    const token = await servers.issuer.tokenFor('acme', 'gateway', { subject, role: 'viewer' });
    const socket = new WebSocket(`${url}/v1/session/of-bob/stream`, {
      headers: { authorization: `Bearer ${token}` },
    });
    await once(socket, 'open');
    const replies: unknown[] = [];
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as { type: string; problem?: { code: string } };
      if (frame.type.startsWith('reply.')) replies.push(frame.problem?.code);
    });

    socket.send(JSON.stringify({ type: 'message', message: 'Let me in' }));
    socket.send(JSON.stringify({ type: 'action', action: 'summarize' }));
    socket.send(JSON.stringify({ type: 'cancel' }));
    await until(() => replies.length === 3);

    expect(replies).toEqual(['access_denied', 'access_denied', 'access_denied']);
    socket.terminate();
  });

  it('end some seconds later when nothing is announced', async () => {
    const bobs = await openBoth('bob');

    await access.unrelate(memberOf('bob'));

    expect(await bobs.ended).toEqual({ socket: 1008, events: 'ended' });
  });
});
