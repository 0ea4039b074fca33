import type { Client } from './client.ts';
import { Conversation } from './conversation.ts';
import { type EchoTrips, startEchoTrips } from './echo-trips.ts';
import { type Figure, figureOf, type Report } from './figure.ts';
import { startApp, startBareService } from './processes.ts';
import { interleave, median, quantile } from './rounds.ts';
import { startServers } from './servers.ts';

const SESSIONS = 10;
const TRIPS = 50;
const MESSAGE = 'Tell me.';

/** How long a client waits for the first token, beyond what the model itself takes. */
export async function firstToken(): Promise<Report> {
  await using servers = await startServers();
  await using model = await startBareService('model-server.ts');
  await using gateway = await startApp('gateway', servers);
  await using running = new AsyncDisposableStack();
  running.use(
    await startApp('conversation-worker', servers, {
      OPENAI_API_KEY: 'none',
      OPENAI_BASE_URL: `${model.url}/v1`,
    }),
  );
  const client = { url: gateway.url, token: servers.token };
  // About as long as the records that Soma sends.
  await using echo = await startEchoTrips(servers.kafka.brokers, 'x'.repeat(400));

  const ownTimes: number[] = [];
  const rounds = await interleave({
    own: async () => {
      const own = median(await series(() => timeOfModel(model.url)));
      ownTimes.push(own);
      return [own];
    },
    soma: () => tripsOfSoma(client),
    bare: () => tripsOfEcho(echo),
  });
  return {
    figures: [
      latencyFigure({ name: 'p50', share: 0.5, atMost: 3 }, rounds),
      latencyFigure({ name: 'p99', share: 0.99, atMost: 3.5 }, rounds),
    ],
    settings: [
      `first token: one message at a time, ${TRIPS} a round, on open streams of ${SESSIONS} ` +
        `sessions; the model's own first token (${median(ownTimes).toFixed(1)} ms) is taken off; ` +
        'bare is one record there and back over two topics, autoCommit off.',
    ],
  };
}

interface Round {
  own: number[];
  soma: number[];
  bare: number[];
}

function latencyFigure(
  { name, share, atMost }: { name: string; share: number; atMost: number },
  rounds: readonly Round[],
): Figure {
  return figureOf(
    { name: `message to first token, ${name}`, unit: 'ms', goal: { atMost } },
    rounds.map(({ own, soma, bare }) => ({
      soma: quantile(soma, share) - median(own),
      bare: quantile(bare, share),
    })),
  );
}

async function series(measure: () => Promise<number>): Promise<number[]> {
  const times: number[] = [];
  for (let trip = 0; trip < TRIPS; trip += 1) times.push(await measure());
  return times;
}

const tripsOfEcho = (echo: EchoTrips): Promise<number[]> => series(() => echo.trip());

/** From the call to the first piece of text, as the worker calls it. */
async function timeOfModel(url: string): Promise<number> {
  const startedAt = performance.now();
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({
      model: 'test-chat',
      stream: true,
      messages: [{ role: 'user', content: MESSAGE }],
    }),
  });
  let text = '';
  let firstMs: number | undefined;
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString();
    if (text.includes('You')) firstMs ??= performance.now() - startedAt;
  }
  if (firstMs === undefined) throw new Error('The model said nothing.');
  return firstMs;
}

async function tripsOfSoma(client: Client): Promise<number[]> {
  using running = new DisposableStack();
  const conversations: Conversation[] = [];
  while (conversations.length < SESSIONS) {
    conversations.push(running.use(await Conversation.open(client, MESSAGE)));
  }
  let turn = 0;
  return await series(async () => {
    const conversation = conversations[(turn += 1) % SESSIONS];
    if (!conversation) throw new Error('There is no conversation.');
    const startedAt = performance.now();
    await conversation.say();
    await conversation.hear('assistant.delta');
    const waited = performance.now() - startedAt;
    await conversation.hear('assistant.final');
    return waited;
  });
}
