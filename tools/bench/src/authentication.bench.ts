import autocannon from 'autocannon';
import { figureOf, type Report } from './figure.ts';
import { startApp, startBareService, startBuiltProgram } from './processes.ts';
import { interleave } from './rounds.ts';
import { startServers } from './servers.ts';

const CONNECTIONS = 64;
const ROUND_S = 3;
const TOKENS = 2_000;

/** What it costs to know who asks, and to send away who is nobody. */
export async function authentication(): Promise<Report> {
  const verify = await verifyTokens();
  const reject = await rejectTokens();
  return {
    figures: [
      figureOf({ name: 'verify a token', unit: 'µs', goal: { atMost: 1.3 } }, verify),
      figureOf({ name: 'reject a token', unit: 'rejects/s', goal: { atLeast: 0.85 } }, reject),
    ],
    settings: [
      `verify: ES256, ${TOKENS} tokens a round, none seen before, each by both in turn in one process; ` +
        'bare is `jwtVerify` of jose with the same checks.',
      `reject: ${CONNECTIONS} connections, rounds of ${ROUND_S} s, one forged token; bare is Fastify that ` +
        'answers the same, headers included, without looking at it.',
    ],
  };
}

async function verifyTokens(): Promise<{ soma: number; bare: number }[]> {
  await using verifier = await startBuiltProgram('verifier.ts');
  const rounds = await interleave({
    // The program answers for both.
    both: async () => (await verifier.ask({ tokens: TOKENS })) as { soma: number; bare: number },
  });
  return rounds.map(({ both }) => both);
}

async function rejectTokens(): Promise<{ soma: number; bare: number }[]> {
  await using servers = await startServers();
  await using gateway = await startApp('gateway', servers);
  await using bare = await startBareService('bare/reject.ts');
  const forged = `${servers.token.slice(0, -8)}AAAAAAAA`;
  return await interleave({
    soma: () => load(gateway.url, forged),
    bare: () => load(bare.url, forged),
  });
}

async function load(url: string, token: string): Promise<number> {
  const result = await autocannon({
    url: `${url}/v1/models`,
    connections: CONNECTIONS,
    duration: ROUND_S,
    headers: { authorization: `Bearer ${token}` },
  });
  if (result['2xx'] > 0 || result.errors > 0) {
    throw new Error(`${url}: ${result['2xx']} accepted, ${result.errors} failed.`);
  }
  return result.non2xx / result.duration;
}
