import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type KafkaServer, startKafka } from '@soma/testing';
import { CoalescingProducer } from './coalescing-producer.ts';
import type { KafkaConnection } from './kafka-connection.ts';
import { connectTo, makeTopics, noteRecord, noteTopic, recordsOf } from './spec-support.ts';

const account = { username: 'soma', password: 'hunter2-canary' };
const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'];

describe('a broker that is reached over TLS, and asks who is there', () => {
  const running = new AsyncDisposableStack();
  const known = getCACertificates('default');
  let kafka: KafkaServer;

  beforeAll(async () => {
    kafka = running.use(await startKafka({ account }));
    // As NODE_EXTRA_CA_CERTS does in a pod.
    setDefaultCACertificates([...known, kafka.certificate ?? '']);
    running.defer(() => {
      setDefaultCACertificates(known);
    });
  });

  afterAll(() => running.disposeAsync());

  function connect(mechanism: string, settings: Record<string, string> = {}): KafkaConnection {
    return connectTo(
      { brokers: kafka.brokers, topicPrefix: `${mechanism}.` },
      {
        KAFKA_TLS_ENABLED: 'true',
        KAFKA_SASL_MECHANISM: mechanism,
        KAFKA_SASL_USERNAME: account.username,
        KAFKA_SASL_PASSWORD: account.password,
        ...settings,
      },
    );
  }

  it.each(MECHANISMS)('takes and gives records of who signs in by %s', async (mechanism) => {
    const connection = connect(mechanism);
    const topic = noteTopic('notes', 1);
    await makeTopics(connection, topic);
    const producer = new CoalescingProducer(connection);

    await producer.send(noteRecord(topic.name, 'key', 'over TLS'));
    await producer.onApplicationShutdown();

    const records = await recordsOf(connection, topic.name);
    expect(records.map(({ value }) => value)).toEqual([
      JSON.stringify({ key: 'key', text: 'over TLS' }),
    ]);
  });

  it.each(MECHANISMS)('refuses another password by %s, and shows none (P8)', async (mechanism) => {
    const wrong = connect(mechanism, { KAFKA_SASL_PASSWORD: 'another-canary' });

    const error: unknown = await wrong.administer((admin) => admin.listTopics()).catch(asIs);

    expect(error).toBeInstanceOf(Error);
    expect(String((error as Error).stack)).not.toMatch(/canary/);
  });

  it('is not believed by who does not know its certificate', async () => {
    setDefaultCACertificates(known);

    const asking = connect('plain').administer((admin) => admin.listTopics());

    await expect(asking).rejects.toThrow();
    setDefaultCACertificates([...known, kafka.certificate ?? '']);
  });

  it('does not speak with who comes without TLS', async () => {
    const plain = connect('plain', { KAFKA_TLS_ENABLED: 'false' });

    await expect(plain.administer((admin) => admin.listTopics())).rejects.toThrow();
  });
});

const asIs = (error: unknown): unknown => error;
