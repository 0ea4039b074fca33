import { once } from 'node:events';
import { Kafka, logLevel } from 'kafkajs';
import { startProgram } from './processes.ts';

/** A bare round trip over two topics of Kafka. */
export interface EchoTrips extends AsyncDisposable {
  /** Resolves with how long one record took there and back, in milliseconds. */
  trip: () => Promise<number>;
}

/** Starts both sides: a client here, and the echo in a process of its own. */
export async function startEchoTrips(brokers: string, value: string): Promise<EchoTrips> {
  const running = new AsyncDisposableStack();
  const kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const topics = ['bare.there', 'bare.back'].map((topic) => ({ topic, numPartitions: 12 }));
  await admin.createTopics({ topics, waitForLeaders: true });
  await admin.disconnect();

  const producer = kafka.producer();
  running.defer(() => producer.disconnect());
  await producer.connect();
  const consumer = kafka.consumer({ groupId: 'bare-client' });
  running.defer(() => consumer.disconnect());
  await consumer.connect();
  await consumer.subscribe({ topic: 'bare.back', fromBeginning: true });
  const joined = new EventTarget();
  consumer.on(consumer.events.GROUP_JOIN, () => joined.dispatchEvent(new Event('join')));
  const isJoined = once(joined, 'join');
  const arrivals = new EventTarget();
  await consumer.run({
    autoCommit: false,
    eachMessage: ({ message: { key } }) => {
      arrivals.dispatchEvent(new Event(key?.toString() ?? ''));
      return Promise.resolve();
    },
  });
  await isJoined;
  running.use(await startProgram('bare/echo.ts', { KAFKA_BROKERS: brokers }));

  let count = 0;
  return {
    trip: async () => {
      const key = `trip-${(count += 1)}`;
      const startedAt = performance.now();
      const arrived = once(arrivals, key);
      await producer.send({ topic: 'bare.there', acks: -1, messages: [{ key, value }] });
      await arrived;
      return performance.now() - startedAt;
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
