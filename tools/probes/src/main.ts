/**
 * Asks one server whether it can be used: `check-postgres`, `check-redis`, `check-kafka` and
 * `check-slm`. Prints one line of JSON; the exit code is 0 when it can, else 1.
 */
import { kafka } from './kafka.ts';
import { postgres } from './postgres.ts';
import { type ProbeReport, runProbe } from './probe.ts';
import { redis } from './redis.ts';
import { slm } from './slm.ts';

const probes = new Map<string | undefined, () => Promise<ProbeReport>>([
  ['kafka', () => runProbe(kafka)],
  ['postgres', () => runProbe(postgres)],
  ['redis', () => runProbe(redis)],
  ['slm', () => runProbe(slm)],
]);

const probe = probes.get(process.argv[2]);
if (probe === undefined) {
  process.stderr.write(`Which one? ${[...probes.keys()].join(', ')}\n`);
  process.exit(64);
}
const report = await probe();
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exit(report.ok ? 0 : 1);
