import { figureOf, type Report } from './figure.ts';
import { startBuiltProgram } from './processes.ts';
import { interleave } from './rounds.ts';

const VALUES = 30_000;

interface Times {
  envelope: number;
  cached: number;
  bare: number;
}

/** What it costs that a stored secret opens in its own place alone, and its master key can change. */
export async function secrets(): Promise<Report> {
  await using sealer = await startBuiltProgram('sealer.ts');
  const rounds = await interleave({
    // The program answers for all three.
    all: async () => (await sealer.ask({ values: VALUES })) as Times,
  });
  const against = (name: 'envelope' | 'cached') =>
    rounds.map(({ all }) => ({ soma: all[name], bare: all.bare }));
  return {
    figures: [
      figureOf({ name: 'seal a secret', unit: 'µs', goal: { atMost: 2 } }, against('envelope')),
      figureOf(
        { name: 'seal a secret again', unit: 'µs', goal: { atMost: 1.3 } },
        against('cached'),
      ),
    ],
    settings: [
      `seal: values of 512 bytes, ${VALUES} a round, each by all in turn in one process; the first with ` +
        'a data key of its own, the second with the data key at hand; bare is one AES-256-GCM ' +
        'of Node.js with a random nonce, without a context.',
    ],
  };
}
