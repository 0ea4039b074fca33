/* The far side of a bare round trip: what comes on one topic goes out on the other. */
import { Kafka, logLevel } from 'kafkajs';

const { KAFKA_BROKERS = '' } = process.env;
const kafka = new Kafka({ brokers: [KAFKA_BROKERS], logLevel: logLevel.NOTHING });
const producer = kafka.producer();
const consumer = kafka.consumer({ groupId: 'bare-echo' });
await producer.connect();
await consumer.connect();
await consumer.subscribe({ topic: 'bare.there', fromBeginning: true });
consumer.on(consumer.events.GROUP_JOIN, () => process.send?.('ready'));
await consumer.run({
  // kafkajs commits after every batch otherwise, on the path.
  autoCommit: false,
  eachMessage: async ({ message: { key, value } }) => {
    await producer.send({ topic: 'bare.back', acks: -1, messages: [{ key, value }] });
  },
});
