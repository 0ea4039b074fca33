import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type INestApplication, Module } from '@nestjs/common';
import { AuthModule, KeysAtUrl } from '@soma/auth';
import {
  type AuditEvent,
  auditEvents,
  auditHash,
  auditLine,
  type AuditLine,
  auditPage,
  type AuditPage,
  FIRST_PREVIOUS_HASH,
} from '@soma/contracts';
import { createService } from '@soma/http';
import { loadConfig, newIdentifier, Secret, sleep } from '@soma/kernel';
import {
  AuditEvents,
  AuditEventsModule,
  CoalescingProducer,
  createTopics,
  DeadLetters,
  KafkaConnection,
  KafkaConsumers,
  kafkaSettings,
  MessagingModule,
} from '@soma/messaging';
import { migrate } from '@soma/migrations';
import { createLogger } from '@soma/observability';
import { PersistenceModule, TenantTransaction } from '@soma/persistence';
import {
  createTestDatabase,
  createTestKafka,
  startTokenIssuer,
  type TestTokenIssuer,
  until,
} from '@soma/testing';
import { z } from 'zod';
import { AuditLog } from './audit-log.ts';
import { AuditModule } from './audit.module.ts';

@Module({})
class AuditTests {}

function event(tenant_id: string, changes: Partial<AuditEvent> = {}): AuditEvent {
  return {
    schema: auditEvents.version,
    audit_id: newIdentifier(),
    tenant_id,
    actor: { subject: 'ann', address: '192.0.2.7' },
    action: 'api_key.created',
    target: { type: 'api_key', id: 'k1' },
    outcome: 'success',
    request_id: 'r1',
    occurred_at: '2026-03-01T00:00:00.000Z',
    details: {},
    ...changes,
  };
}

describe('/v1/audit', () => {
  const running = new AsyncDisposableStack();
  let issuer: TestTokenIssuer;
  let service: INestApplication;
  let url: string;

  beforeAll(async () => {
    const database = running.use(await createTestDatabase());
    const kafka = running.use(createTestKafka());
    issuer = running.use(await startTokenIssuer());
    await migrate(new Secret(database.ownerUrl));
    const config = loadConfig(z.object(kafkaSettings), {
      KAFKA_BROKERS: kafka.brokers,
      KAFKA_TOPIC_PREFIX: kafka.topicPrefix,
    });
    const logger = createLogger({ service: 'audit-tests', level: 'silent' });
    const databaseUrl = new Secret(await database.loginUrl('identity'));
    const application = await createService({
      module: AuditTests,
      imports: [
        AuthModule.verify({
          issuer: issuer.url,
          keys: new KeysAtUrl(issuer.jwksUrl),
          audience: 'gateway',
          tenantClaims: ['tenant'],
          requireAuth: true,
          defaultTenant: 'acme',
        }),
        PersistenceModule.connect({ url: databaseUrl, sweepRole: 'identity_sweep' }),
        MessagingModule.connect(config, { clientId: 'audit-tests', logger }),
        AuditEventsModule.connect({ AUDIT_FALLBACK_FILE: undefined }, logger),
        AuditModule.configure('soma'),
      ],
    });
    service = application;
    running.defer(() => application.close());
    await createTopics(application.get(KafkaConnection), [auditEvents], 1);
    application.connectMicroservice({ strategy: application.get(KafkaConsumers) });
    await application.startAllMicroservices();
    await application.listen(0, '127.0.0.1');
    url = await application.getUrl();
  });

  afterAll(() => running.disposeAsync());

  async function append(...events: AuditEvent[]): Promise<void> {
    const [{ tenant_id } = event('none')] = events;
    await service
      .get(TenantTransaction)
      .run(tenant_id, (manager) => service.get(AuditLog).appendEvents(manager, tenant_id, events));
  }

  async function headers(tenant: string): Promise<Record<string, string>> {
    const token = await issuer.tokenFor(tenant, 'gateway', { scopes: ['audit:read'] });
    return { authorization: `Bearer ${token}` };
  }

  async function ask(tenant: string, path: string): Promise<Response> {
    return fetch(`${url}/v1/audit${path}`, { headers: await headers(tenant) });
  }

  async function list(tenant: string, query = ''): Promise<AuditPage> {
    const answer = await ask(tenant, query);
    return auditPage.parse(await answer.json());
  }

  function linesOf(tenant: string, count: number): Promise<AuditLine[]> {
    return until(async () => {
      const { lines } = await list(tenant, '?limit=200');
      return lines.length >= count && lines.reverse();
    });
  }

  const bySubject = ({ lines }: AuditPage): string[] => lines.map(({ actor }) => actor.subject);

  it('lists the newest lines first, page by page', async () => {
    const subjects = ['a', 'b', 'c', 'd', 'e'];
    await append(
      ...subjects.map((subject) => event('paged', { actor: { subject, address: null } })),
    );

    const first = await list('paged', '?limit=2');
    await append(event('paged', { actor: { subject: 'later', address: null } }));
    const second = await list('paged', `?limit=2&cursor=${first.next_cursor ?? ''}`);
    const third = await list('paged', `?limit=2&cursor=${second.next_cursor ?? ''}`);

    expect([first, second, third].map(bySubject)).toEqual([['e', 'd'], ['c', 'b'], ['a']]);
    expect(third.next_cursor).toBeNull();
  });

  it('narrows the list by everything that it is asked for', async () => {
    const tenant = 'filtered';
    const one = event(tenant, { actor: { subject: 'one', address: null } });
    await append(
      { ...one, audit_id: newIdentifier() },
      { ...one, audit_id: newIdentifier(), actor: { subject: 'two', address: null } },
      { ...one, audit_id: newIdentifier(), action: 'member.added' },
      { ...one, audit_id: newIdentifier(), target: { type: 'member', id: 'm' } },
      { ...one, audit_id: newIdentifier(), outcome: 'denied' },
      { ...one, audit_id: newIdentifier(), occurred_at: '2026-03-02T00:00:00.000Z' },
    );
    const seqs = async (query: string) => (await list(tenant, query)).lines.map(({ seq }) => seq);

    expect(await seqs('?actor=two')).toEqual([2]);
    expect(await seqs('?action=member.added')).toEqual([3]);
    expect(await seqs('?target_type=member&target_id=m')).toEqual([4]);
    expect(await seqs('?outcome=denied')).toEqual([5]);
    expect(await seqs('?from=2026-03-02T00:00:00.000Z')).toEqual([6]);
    expect(await seqs('?to=2026-03-02T00:00:00.000Z&actor=one&outcome=success')).toEqual([4, 3, 1]);
  });

  it.each(['?cursor=nonsense', '?cursor=LTE', '?outcome=maybe', '?from=today', '?everything=1'])(
    'refuses %s',
    async (query) => {
      expect((await ask('acme', query)).status).toBe(400);
    },
  );

  it("shows nobody another tenant's lines (P6)", async () => {
    await append(event('mine'));

    expect((await list('theirs')).lines).toEqual([]);
    expect(await (await ask('theirs', '/export')).text()).toBe('');
    expect((await fetch(`${url}/v1/audit`)).status).toBe(401);
    const token = await issuer.tokenFor('mine', 'gateway', { scopes: ['members:read'] });
    const authorization = `Bearer ${token}`;
    expect((await fetch(`${url}/v1/audit/export`, { headers: { authorization } })).status).toBe(
      403,
    );
  });

  it('exports all lines as one chain, and reads no further than its reader takes', async () => {
    const details = { note: 'x'.repeat(900) };
    const many = Array.from({ length: 12_000 }, () => event('exported', { details }));
    await append(...many);
    const reads = jest.spyOn(service.get(TenantTransaction), 'run');
    const [answer] = (await once(
      get(`${url}/v1/audit/export`, { headers: await headers('exported') }),
      'response',
    )) as [IncomingMessage];

    // The answer has begun, and nobody reads it: what the sockets hold is all that is read.
    await sleep(500);
    const readAhead = reads.mock.calls.length;
    const lines: AuditLine[] = [];
    let rest = '';
    for await (const piece of answer.setEncoding('utf8')) {
      const texts = (rest + String(piece)).split('\n');
      rest = texts.pop() ?? '';
      lines.push(...texts.map((text) => auditLine.parse(JSON.parse(text))));
    }

    expect(readAhead).toBeLessThan(reads.mock.calls.length);
    expect(lines.map(({ audit_id }) => audit_id)).toEqual(many.map(({ audit_id }) => audit_id));
    lines.forEach((line, index) => {
      expect(line.previous_hash).toBe(lines[index - 1]?.hash ?? FIRST_PREVIOUS_HASH);
      expect(line.hash).toBe(auditHash(line));
    });
    reads.mockRestore();
  });

  it('takes over what other services tell, each event once (P3)', async () => {
    const report = event('told', { action: 'access.denied', outcome: 'denied' });
    const record = {
      topic: auditEvents.name,
      key: 'told',
      value: JSON.stringify({ ...report, added_later: 1 }),
    };
    await service.get(CoalescingProducer).sendAll([record, record]);
    await linesOf('told', 1);
    await service.get(CoalescingProducer).send(record);
    service.get(AuditEvents).record(event('told', { audit_id: newIdentifier() }));

    const lines = await linesOf('told', 2);

    expect(lines).toMatchObject([
      { audit_id: report.audit_id, action: 'access.denied' },
      { action: 'api_key.created' },
    ]);
  });

  it('puts aside what is no event, and goes on (P5)', async () => {
    const good = event('poisoned');
    await service.get(CoalescingProducer).sendAll(
      [JSON.stringify({ ...good, outcome: 'perhaps' }), '{', JSON.stringify(good)].map((value) => ({
        topic: auditEvents.name,
        key: 'poisoned',
        value,
      })),
    );

    expect(await linesOf('poisoned', 1)).toMatchObject([{ audit_id: good.audit_id }]);
    expect(await service.get(DeadLetters).list(auditEvents.name)).toHaveLength(2);
  });
});
