import { openEventStream } from '@soma/testing';
import { Kafka, logLevel } from 'kafkajs';
import { say } from './client.ts';
import { figureOf, type Report } from './figure.ts';
import { type Service, startApp, startBareService } from './processes.ts';
import { Readers } from './readers.ts';
import { interleave } from './rounds.ts';
import { type Servers, startServers, TENANT } from './servers.ts';

const READERS = 1_000;
const EVENTS = 200;
const MESSAGE = 'A line of text as people write them. '.repeat(4);

/** How many frames a second reach the subscribers of one session. */
export async function fanOut(): Promise<Report> {
  await using servers = await startServers();
  await using gateway = await startApp('gateway', servers);
  await using bare = await startBareService('bare/streams.ts');
  const sessionId = await say({ url: gateway.url, token: servers.token }, MESSAGE);
  const path = `/v1/session/${sessionId}/events`;
  const frame = await firstFrame(`${gateway.url}${path}?cursor=0`, servers);

  await using worker = await connectWorker(servers.kafka.brokers, frame);
  await using ofSoma = await openReaders(gateway, path, servers);
  await using ofBare = await openReaders(bare, '/', servers);
  const rounds = await interleave({
    soma: () => frameRate(ofSoma, () => worker.publish(`${TENANT}:${sessionId}`)),
    bare: () =>
      frameRate(ofBare, () =>
        fetch(bare.url, {
          method: 'POST',
          headers: { 'x-times': String(EVENTS) },
          body: frame,
        }),
      ),
  });
  return {
    figures: [
      figureOf(
        { name: `fan-out to ${READERS} subscribers`, unit: 'frames/s', goal: { atLeast: 0.8 } },
        rounds,
      ),
    ],
    settings: [
      `fan-out: ${EVENTS} events a round, from Kafka to the last byte at the last of ${READERS} ` +
        `subscribers; frames of ${frame.length} bytes; bare is a loop that writes one frame to as ` +
        'many open responses, as often, without a pause.',
    ],
  };
}

/** Plays a process that writes rows: they come to the gateway by Kafka, as any other's do. */
async function connectWorker(brokers: string, frame: string): Promise<Worker> {
  const producer = new Kafka({ brokers: [brokers], logLevel: logLevel.ERROR }).producer();
  await producer.connect();
  const data = /^data: (.*)$/m.exec(frame)?.[1] ?? '';
  const first = JSON.parse(data) as { seq: number };
  let { seq } = first;
  return {
    publish: async (key) => {
      const messages = Array.from({ length: EVENTS }, () => {
        seq += 1;
        return { key, value: JSON.stringify({ ...first, seq, cursor: `${seq}.0` }) };
      });
      await producer.send({ topic: 'conversation.outbound', acks: -1, messages });
    },
    [Symbol.asyncDispose]: () => producer.disconnect(),
  };
}

interface Worker extends AsyncDisposable {
  publish: (key: string) => Promise<void>;
}

async function openReaders(service: Service, path: string, servers: Servers): Promise<Readers> {
  const readers = await Readers.start();
  await readers.open({
    url: service.url,
    paths: Array.from({ length: READERS }, () => path),
    token: servers.token,
  });
  return readers;
}

async function frameRate(readers: Readers, publish: () => Promise<unknown>): Promise<number> {
  const frames = EVENTS * READERS;
  return (1_000 * frames) / (await readers.timeToHear(frames, publish));
}

/** A frame just as Soma sends it. */
async function firstFrame(url: string, { token }: Servers): Promise<string> {
  const stream = await openEventStream(url, { headers: { authorization: `Bearer ${token}` } });
  for await (const { id, event, data } of stream) {
    return `id: ${id ?? ''}\nevent: ${event}\ndata: ${data}\n\n`;
  }
  throw new Error('The stream ended without an event.');
}
