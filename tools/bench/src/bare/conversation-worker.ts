/*
 * The far side of a bare conversation: each record's turn is taken by one UPDATE that is committed, the
 * model is asked, and its text goes out as it comes.
 */
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';

const { DATABASE_URL, KAFKA_BROKERS = '', MODEL_URL = '' } = process.env;

interface Asked {
  turn_id: string;
  message: string;
}

const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 10 });
const kafka = new Kafka({ brokers: [KAFKA_BROKERS], logLevel: logLevel.NOTHING });
const producer = kafka.producer();
const consumer = kafka.consumer({ groupId: 'bare-conversation-worker' });

async function send(key: Buffer | null, value: string): Promise<void> {
  await producer.send({ topic: 'bare.answered', acks: -1, messages: [{ key, value }] });
}

async function answer(key: Buffer | null, { turn_id, message }: Asked): Promise<void> {
  await pool.query({
    name: 'claim',
    text: `UPDATE bare_turns SET state = 'running' WHERE turn_id = $1`,
    values: [turn_id],
  });
  const response = await fetch(`${MODEL_URL}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({
      model: 'test-chat',
      stream: true,
      messages: [{ role: 'user', content: message }],
    }),
  });
  for await (const chunk of response.body ?? []) {
    const data = Buffer.from(chunk).toString();
    if (data.includes('"content"')) await send(key, `event: assistant.delta\n${data}`);
  }
  await send(key, 'event: assistant.final\ndata: {}\n\n');
}

await producer.connect();
await consumer.connect();
await consumer.subscribe({ topic: 'bare.asked', fromBeginning: true });
consumer.on(consumer.events.GROUP_JOIN, () => process.send?.('ready'));
await consumer.run({
  autoCommit: false,
  eachMessage: async ({ message: { key, value } }) => {
    await answer(key, JSON.parse(String(value)) as Asked);
  },
});
