import { figureOf, type Report } from './figure.ts';
import { startBuiltProgram } from './processes.ts';
import { interleave } from './rounds.ts';

const REQUESTS = 3_000;

/** What it costs a request that it uses a connection whose lease is held. */
export async function connections(): Promise<Report> {
  await using holder = await startBuiltProgram('lease-holder.ts');
  const rounds = await interleave({
    // The program answers for both.
    all: async () => (await holder.ask({ requests: REQUESTS })) as { soma: number; bare: number },
  });
  return {
    figures: [
      figureOf(
        { name: 'resolve a connection', unit: 'µs', goal: { atMost: 2 } },
        rounds.map(({ all }) => all),
      ),
    ],
    settings: [
      `resolve: ${REQUESTS} requests a round to each of two routes of one Fastify, in turn, one after ` +
        'the other; both check an access token with jose, and the one asks for a connection whose ' +
        'lease its process holds.',
    ],
  };
}
