/*
 * The least that takes a message in durably and streams its answer: Node's http, one INSERT that is
 * committed, one record there, and whatever comes back written to the session's open response.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';

const { DATABASE_URL, KAFKA_BROKERS = '', PORT } = process.env;

interface Message {
  session_id?: string;
  message: string;
}

const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 10 });
const kafka = new Kafka({ brokers: [KAFKA_BROKERS], logLevel: logLevel.NOTHING });
const producer = kafka.producer();
const consumer = kafka.consumer({ groupId: 'bare-conversation-gateway' });

/** Frames that came before the session's reader, or that reader. */
const readers = new Map<string, string[] | ServerResponse>();

function publish(sessionId: string, frame: string): void {
  const reader = readers.get(sessionId) ?? [];
  if (Array.isArray(reader)) readers.set(sessionId, [...reader, frame]);
  else reader.write(frame);
}

async function accept(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { session_id = randomUUID(), message } = (await json(request)) as Message;
  const turnId = randomUUID();
  const value = JSON.stringify({ turn_id: turnId, session_id, message });
  await pool.query({
    name: 'accept',
    text: 'INSERT INTO bare_turns VALUES ($1, $2, $3)',
    values: [turnId, session_id, value],
  });
  response.writeHead(202).end(JSON.stringify({ session_id }));
  await producer.send({ topic: 'bare.asked', acks: -1, messages: [{ key: session_id, value }] });
}

function listen(sessionId: string, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  const earlier = readers.get(sessionId);
  response.write(Array.isArray(earlier) ? earlier.join('') : '\n\n');
  readers.set(sessionId, response);
}

await pool.query(
  `CREATE TABLE bare_turns
     (turn_id text PRIMARY KEY, session_id text, envelope json, state text DEFAULT 'pending')`,
);
const admin = kafka.admin();
await admin.connect();
const topics = ['bare.asked', 'bare.answered'].map((topic) => ({ topic, numPartitions: 12 }));
await admin.createTopics({ topics, waitForLeaders: true });
await admin.disconnect();
await producer.connect();
await consumer.connect();
await consumer.subscribe({ topic: 'bare.answered', fromBeginning: true });
const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
await consumer.run({
  autoCommit: false,
  eachMessage: ({ message: { key, value } }) => {
    publish(String(key), String(value));
    return Promise.resolve();
  },
});
await joined;

createServer((request, response) => {
  if (request.method === 'POST') void accept(request, response);
  else listen(request.url?.split('/')[3] ?? '', response);
}).listen(Number(PORT), '127.0.0.1', () => process.send?.('ready'));
