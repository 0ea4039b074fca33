import { cpus, loadavg, totalmem } from 'node:os';

/** What else was running when the benchmarks began: at rest it is near 0. */
const loadBefore = loadavg()[0] ?? 0;

/** What it ran on, in words that name nobody. */
export function machine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const memory = Math.round(totalmem() / 1024 ** 3);
  return (
    `${cpus().length} cores (${model}), ${memory} GiB, ${process.platform}/${process.arch}; ` +
    `Node ${process.versions.node}, PostgreSQL 18, Apache Kafka 4.1, Redis 7, all on the loopback; ` +
    `load average ${loadBefore.toFixed(1)} before the first benchmark`
  );
}
