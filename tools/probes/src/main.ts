/**
 * Asks one server whether it can be used: `check-postgres`, `check-redis`, `check-kafka`,
 * `check-slm`, `check-opa [--policy <bundle>]`, `check-openfga`, `check-auth` and `check-vault`.
 * Prints one line of JSON; the exit code is 0 when it can, else 1.
 */
import { parseArgs } from 'node:util';
import { auth } from './auth.ts';
import { kafka } from './kafka.ts';
import { opa } from './opa.ts';
import { openfga } from './openfga.ts';
import { postgres } from './postgres.ts';
import { type ProbeReport, runProbe } from './probe.ts';
import { redis } from './redis.ts';
import { slm } from './slm.ts';
import { vault } from './vault.ts';

const { values, positionals } = parseArgs({
  options: { policy: { type: 'string' } },
  allowPositionals: true,
});
const bundle = values.policy === undefined ? {} : { POLICY_BUNDLE_FILE: values.policy };

const probes = new Map<string | undefined, () => Promise<ProbeReport>>([
  ['auth', () => runProbe(auth)],
  ['kafka', () => runProbe(kafka)],
  ['opa', () => runProbe(opa, { ...process.env, ...bundle })],
  ['openfga', () => runProbe(openfga)],
  ['postgres', () => runProbe(postgres)],
  ['redis', () => runProbe(redis)],
  ['slm', () => runProbe(slm)],
  ['vault', () => runProbe(vault)],
]);

const probe = probes.get(positionals[0]);
if (probe === undefined) {
  process.stderr.write(`Which one? ${[...probes.keys()].join(', ')}\n`);
  process.exit(64);
}
const report = await probe();
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exit(report.ok ? 0 : 1);
