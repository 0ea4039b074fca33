import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type AuditEvent, auditEvents } from '@soma/contracts';
import { loadConfig } from '@soma/kernel';
import { BroadcastReader, KafkaConnection, kafkaSettings } from '@soma/messaging';
import { createLogger } from '@soma/observability';
import { startHttpServer, until } from '@soma/testing';
import { z } from 'zod';
import {
  createGatewayServers,
  startGateway,
  type TestGateway,
  type TestServers,
} from '../spec-support.ts';

/** What an administrator does, and in this order. */
const CHANGES = [
  ['POST', '/v1/personas', { persona_id: 'p1', name: 'canary-name', instructions: 'canary' }],
  ['PATCH', '/v1/personas/p1', { name: 'canary-other' }],
  ['DELETE', '/v1/personas/p1', undefined],
  ['POST', '/v1/capsules/crm/install', { note: 'canary' }],
  ['DELETE', '/v1/session/s1', undefined],
] as const;

describe('what the gateway tells the audit log', () => {
  const running = new AsyncDisposableStack();
  const told: AuditEvent[] = [];
  const installed: string[] = [];
  let servers: TestServers;
  let gateway: TestGateway;

  beforeAll(async () => {
    servers = await createGatewayServers(running);
    const registry = running.use(
      await startHttpServer((request, response) => {
        installed.push(String(request.url));
        response.writeHead(201).end();
      }),
    );
    gateway = running.use(await startGateway(servers, { CAPSULE_REGISTRY_URL: registry.url }));
    const config = loadConfig(z.object(kafkaSettings), {
      KAFKA_BROKERS: servers.kafka.brokers,
      KAFKA_TOPIC_PREFIX: servers.kafka.topicPrefix,
    });
    const logger = createLogger({ service: 'denial-tests', level: 'silent' });
    const reader = new BroadcastReader({
      connection: new KafkaConnection(config, { clientId: 'denial-tests', logger }),
      topic: auditEvents.name,
      beginBackMs: 15_000,
      onRecord: (_key, value) => {
        told.push(auditEvents.schema.parse(JSON.parse(value.toString())));
      },
      onAssigned: () => undefined,
    });
    reader.onApplicationBootstrap();
    running.defer(() => reader.onApplicationShutdown());
    await reader.caughtUp;
  });

  afterAll(() => running.disposeAsync());

  /** Who administers something, each in a request of its own. */
  async function administer(): Promise<number[]> {
    const token = await servers.issuer.tokenFor('acme', 'gateway', { subject: 'ann' });
    const authorization = `Bearer ${token}`;
    const statuses: number[] = [];
    for (const [method, path, body] of CHANGES) {
      const headers = { authorization, 'x-request-id': `${method}-${path.split('/').length}` };
      const { status } = await gateway.send(path, { method, body, headers });
      statuses.push(status);
    }
    return statuses;
  }

  it('is every change that is made, and nothing of what is not', async () => {
    await gateway.post('/v1/session/message', { session_id: 's1', message: 'canary-3310' });
    const before = told.length;

    expect(await administer()).toEqual([201, 200, 204, 201, 204]);
    // There is nothing left to change.
    expect((await administer()).slice(1, 3)).toEqual([200, 204]);
    const lines = await until(() => (told.length >= before + 9 ? told.slice(before) : undefined));

    expect(lines.slice(0, 5)).toMatchObject(
      [
        ['persona.created', 'persona', 'p1', 'POST-3'],
        ['persona.updated', 'persona', 'p1', 'PATCH-4'],
        ['persona.deleted', 'persona', 'p1', 'DELETE-4'],
        ['capsule.installation_requested', 'capsule', 'crm', 'POST-5'],
        ['session.deleted', 'session', 's1', 'DELETE-4'],
      ].map(([action, type, id, request_id]) => ({
        ...{ tenant_id: 'acme', action, target: { type, id }, outcome: 'success', request_id },
        actor: { subject: 'ann', address: '127.0.0.1' },
      })),
    );
    expect(lines.filter(({ action }) => action === 'session.deleted')).toHaveLength(1);
    // What people say and what is set is never part of it.
    expect(JSON.stringify(lines)).not.toMatch(/canary/);
  });

  it('is told without an engine of policies too, which the health says', async () => {
    expect((await gateway.get('/v1/health')).body).toMatchObject({ policy: 'not_configured' });
  });

  it('must be written down, or nothing is changed', async () => {
    await gateway.post('/v1/personas', { persona_id: 'p1', name: 'Kept' });
    await gateway.post('/v1/session/message', { session_id: 's2', message: 'Hello' });
    const before = installed.length;
    await servers.database.execute('REVOKE INSERT ON conversation.audit_outbox FROM gateway');

    const statuses = await administer();
    const session = await gateway.send('/v1/session/s2', { method: 'DELETE' });

    await servers.database.execute('GRANT INSERT ON conversation.audit_outbox TO gateway');
    expect([...statuses, session.status]).toEqual([409, 500, 500, 500, 404, 500]);
    expect((await gateway.get('/v1/personas/p1')).body['name']).toBe('Kept');
    expect((await gateway.get('/v1/session/s2')).status).toBe(200);
    expect(installed).toHaveLength(before);
  });

  it('is every denial: who, what and by which rule', async () => {
    const claims = { subject: 'ann', scopes: ['models:read'] };
    const token = await servers.issuer.tokenFor('acme', 'gateway', claims);
    const authorization = `Bearer ${token}`;

    const answer = await gateway.get('/v1/personas/p1', {
      headers: { authorization, 'x-request-id': 'r-7' },
    });
    const event = await until(() => told.find(({ request_id }) => request_id === 'r-7'));

    expect(answer.status).toBe(403);
    expect(event).toMatchObject({
      tenant_id: 'acme',
      actor: { subject: 'ann', address: '127.0.0.1' },
      action: 'access.denied',
      target: { type: 'persona', id: 'p1' },
      outcome: 'denied',
      request_id: 'r-7',
      details: {
        decision_id: answer.body['decision_id'],
        rule: 'scope_missing',
        method: 'GET',
        path: '/v1/personas/{id}',
      },
    });
    // A credential is never part of it (P8).
    expect(JSON.stringify(event)).not.toContain(token);
  });
});
