import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type AuditEvent, auditEvents } from '@soma/contracts';
import { loadConfig } from '@soma/kernel';
import { BroadcastReader, KafkaConnection, kafkaSettings } from '@soma/messaging';
import { createLogger } from '@soma/observability';
import { until } from '@soma/testing';
import { z } from 'zod';
import {
  createGatewayServers,
  startGateway,
  type TestGateway,
  type TestServers,
} from '../spec-support.ts';

describe('a denial', () => {
  const running = new AsyncDisposableStack();
  const told: AuditEvent[] = [];
  let servers: TestServers;
  let gateway: TestGateway;

  beforeAll(async () => {
    servers = await createGatewayServers(running);
    gateway = running.use(await startGateway(servers));
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
  });

  afterAll(() => running.disposeAsync());

  it('is told to the audit log: who, what and by which rule', async () => {
    const claims = { subject: 'ann', scopes: ['models:read'] };
    const token = await servers.issuer.tokenFor('acme', 'gateway', claims);
    const authorization = `Bearer ${token}`;

    const answer = await gateway.get('/v1/personas/p1', {
      headers: { authorization, 'x-request-id': 'r-7' },
    });
    const event = await until(() => told.at(0));

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
