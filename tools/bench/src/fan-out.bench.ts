import { openEventStream } from '@soma/testing';
import { say } from './client.ts';
import { figureOf, type Report } from './figure.ts';
import { type Service, startApp, startBareService } from './processes.ts';
import { Readers } from './readers.ts';
import { interleave } from './rounds.ts';
import { type Servers, startServers } from './servers.ts';

const READERS = 1_000;
const EVENTS = 200;
const MESSAGE = 'A line of text as people write them. '.repeat(4);

/** How many frames a second reach the subscribers of one session. */
export async function fanOut(): Promise<Report> {
  await using servers = await startServers();
  await using gateway = await startApp('gateway', servers);
  await using bare = await startBareService('bare/streams.ts');
  const client = { url: gateway.url, token: servers.token };
  // Without a worker every message is an event of its own that no answer holds back.
  const sessionId = await say(client, MESSAGE);
  const path = `/v1/session/${sessionId}/events`;
  const frame = await firstFrame(`${gateway.url}${path}?cursor=0`, servers);

  await using ofSoma = await openReaders(gateway, path, servers);
  await using ofBare = await openReaders(bare, '/', servers);
  const rounds = await interleave({
    soma: () =>
      frameRate(ofSoma, () =>
        Promise.all(Array.from({ length: EVENTS }, () => say(client, MESSAGE, sessionId))),
      ),
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
      `fan-out: ${EVENTS} events a round, from POST to the last byte at the last of ${READERS} ` +
        `subscribers, by way of PostgreSQL and Kafka; frames of ${frame.length} bytes; bare is a ` +
        'loop that writes one frame to as many open responses.',
    ],
  };
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
