/*
 * The least that takes a message in: Fastify, one INSERT that is committed, one record that all
 * replicas have. `/send` leaves the INSERT out.
 */
import { randomUUID } from 'node:crypto';
import { fastify } from 'fastify';
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';

const { DATABASE_URL, KAFKA_BROKERS = '', PORT } = process.env;
const TOPIC = 'bare.inbound';

interface Message {
  message: string;
}

const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 10 });
await pool.query(
  'CREATE TABLE bare_events (event_id text PRIMARY KEY, session_id text, envelope json)',
);
const kafka = new Kafka({ brokers: [KAFKA_BROKERS], logLevel: logLevel.ERROR });
const admin = kafka.admin();
await admin.connect();
await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 12 }] });
await admin.disconnect();
const producer = kafka.producer();
await producer.connect();

const app = fastify();

function envelopeOf({ message }: Message): { event_id: string; session_id: string; value: string } {
  const [event_id, session_id] = [randomUUID(), randomUUID()];
  return { event_id, session_id, value: JSON.stringify({ event_id, session_id, message }) };
}

async function send(key: string, value: string): Promise<void> {
  await producer.send({ topic: TOPIC, acks: -1, messages: [{ key, value }] });
}

app.post<{ Body: Message }>('/insert-and-send', async (request, reply) => {
  const { event_id, session_id, value } = envelopeOf(request.body);
  await pool.query('INSERT INTO bare_events VALUES ($1, $2, $3)', [event_id, session_id, value]);
  await send(session_id, value);
  return reply.code(202).send({ event_id, session_id });
});

app.post<{ Body: Message }>('/send', async (request, reply) => {
  const { event_id, session_id, value } = envelopeOf(request.body);
  await send(session_id, value);
  return reply.code(202).send({ event_id, session_id });
});

await app.listen({ port: Number(PORT), host: '127.0.0.1' });
process.send?.('ready');
