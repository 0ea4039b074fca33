import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type AuditEvent, auditEvents, type AuditReport } from '@soma/contracts';
import { createLogger } from '@soma/observability';
import { createTestKafka, freePort } from '@soma/testing';
import { AuditEvents } from './audit-events.ts';
import { AuditFallbackFile } from './audit-fallback-file.ts';
import { CoalescingProducer } from './coalescing-producer.ts';
import { connectTo, eventually, makeTopics, recordsOf } from './spec-support.ts';

function denial(subject: string): AuditReport {
  return {
    tenant_id: 'acme',
    actor: { subject, address: '192.0.2.7' },
    action: 'access.denied',
    target: { type: 'route', id: '/v1/sessions' },
    outcome: 'denied',
    request_id: 'r1',
    details: { rule: 'scope' },
  };
}

describe('AuditEvents', () => {
  const running = new AsyncDisposableStack();
  const kafka = running.use(createTestKafka());
  let folder: string;

  beforeAll(async () => {
    await makeTopics(connectTo(kafka), auditEvents);
    folder = await mkdtemp(join(tmpdir(), 'soma-audit-'));
    running.defer(() => rm(folder, { recursive: true }));
  });
  afterAll(() => running.disposeAsync());

  function start(brokers: string, path: string | undefined): AuditEvents {
    const producer = new CoalescingProducer(connectTo({ ...kafka, brokers }));
    running.defer(() => producer.onApplicationShutdown());
    const logger = createLogger({ service: 'audit-tests', level: 'silent' });
    const file = path === undefined ? undefined : new AuditFallbackFile(path);
    return new AuditEvents({ producer, file, logger });
  }

  /** Of one actor's name, in the order of arrival. */
  async function sentBy(prefix: string): Promise<AuditEvent[]> {
    const records = await recordsOf(connectTo(kafka), auditEvents.name);
    return records
      .map(({ value }) => auditEvents.schema.parse(JSON.parse(value)))
      .filter(({ actor }) => actor.subject.startsWith(prefix));
  }

  it('sends what it is told, each event with an id and a time', async () => {
    const events = start(kafka.brokers, undefined);

    events.record(denial('sent-1'));
    events.record(denial('sent-2'));
    await events.beforeApplicationShutdown();

    const sent = await sentBy('sent');
    expect(sent).toMatchObject([denial('sent-1'), denial('sent-2')]);
    expect(new Set(sent.map(({ audit_id }) => audit_id)).size).toBe(2);
  });

  it('keeps events on disk while Kafka is away, and the next process sends them', async () => {
    const path = join(folder, 'away.ndjson');
    const cutOff = start(`127.0.0.1:${await freePort()}`, path);
    cutOff.record(denial('away-1'));
    cutOff.record(denial('away-2'));
    await cutOff.beforeApplicationShutdown();
    const kept = await readFile(path, 'utf8');
    // As a process leaves it that was killed while it wrote.
    await appendFile(path, '{"audit_id":"half');

    const next = start(kafka.brokers, path);
    next.onApplicationBootstrap();
    await eventually(async () => {
      expect(await sentBy('away')).toMatchObject([denial('away-1'), denial('away-2')]);
    });
    await next.beforeApplicationShutdown();

    expect(kept.split('\n').filter(Boolean)).toHaveLength(2);
    await expect(readFile(path)).rejects.toThrow('ENOENT');
  });
});
