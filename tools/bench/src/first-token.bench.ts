import type { Client } from './client.ts';
import { Conversation } from './conversation.ts';
import { type EchoTrips, startEchoTrips } from './echo-trips.ts';
import { type Figure, figureOf, type Report } from './figure.ts';
import { startApp, startBareService, startProgram } from './processes.ts';
import { interleave, median, quantile } from './rounds.ts';
import { type Servers, startServers } from './servers.ts';

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
  await using durable = await startBareConversations(servers, model.url);

  const ownTimes: number[] = [];
  const rounds = await interleave({
    own: async () => {
      const own = median(await series(() => timeOfModel(model.url)));
      ownTimes.push(own);
      return [own];
    },
    soma: () => tripsOfConversations(client),
    bare: () => tripsOfEcho(echo),
    durable: () => tripsOfConversations(durable),
  });
  return {
    figures: [
      latencyFigure({ name: 'p50', share: 0.5, atMost: 3 }, rounds),
      latencyFigure({ name: 'p99', share: 0.99, atMost: 3.5 }, rounds),
      durableFigure({ name: 'p50', share: 0.5 }, rounds),
      durableFigure({ name: 'p99', share: 0.99 }, rounds),
    ],
    settings: [
      `first token: one message at a time, ${TRIPS} a round, on open streams of ${SESSIONS} ` +
        `sessions; the model's own first token (${median(ownTimes).toFixed(1)} ms) is taken off; ` +
        'bare is one record there and back over two topics, autoCommit off.',
      'first token, as durable: bare is the same path over HTTP, one committed INSERT, one record, one ' +
        "committed UPDATE, the model's answer, one record and an open response, and nothing else.",
    ],
  };
}

interface Round {
  own: number[];
  soma: number[];
  bare: number[];
  durable: number[];
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

/** Beside the least that keeps a message and its turn through a crash, as Soma must. */
function durableFigure(
  { name, share }: { name: string; share: number },
  rounds: readonly Round[],
): Figure {
  return figureOf(
    { name: `message to first token, to a path as durable, ${name}`, unit: 'ms' },
    rounds.map(({ own, soma, durable }) => ({
      soma: quantile(soma, share) - median(own),
      bare: quantile(durable, share) - median(own),
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

/** The least that does the same as durably, in two processes as Soma's. Disposing of it ends both. */
async function startBareConversations(
  servers: Servers,
  modelUrl: string,
): Promise<Client & AsyncDisposable> {
  const running = new AsyncDisposableStack();
  const env = { DATABASE_URL: servers.postgres.ownerUrl, KAFKA_BROKERS: servers.kafka.brokers };
  const gateway = running.use(await startBareService('bare/conversation-gateway.ts', env));
  running.use(await startProgram('bare/conversation-worker.ts', { ...env, MODEL_URL: modelUrl }));
  return {
    url: gateway.url,
    token: servers.token,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function tripsOfConversations(client: Client): Promise<number[]> {
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
