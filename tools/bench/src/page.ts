import { type Report, tableOf } from './figure.ts';
import { machine } from './machine.ts';
import { ROUNDS } from './rounds.ts';

/** All that was found, with what it takes to read it and to measure it again. */
export function pageOf(reports: readonly Report[]): string {
  const settings = reports.flatMap((report) => report.settings);
  return `# Benchmarks

What Soma does, beside the least that could do the same on the same machine at the same time. \`npm run
bench\` measures it and writes this page; \`npm run bench -- accept\` measures one figure. Only the ratios
mean something elsewhere.

${tableOf(reports.flatMap(({ figures }) => figures))}

Measured on ${new Date().toISOString().slice(0, 10)}: ${machine()}.

- Each figure is the median of ${ROUNDS} rounds after one that warms up. Each round measures Soma and then
  its baseline, and the ratio is the median of the rounds' ratios.
- Services and baselines are processes of their own; services run as in production, with authentication.
  PostgreSQL writes to the disk at each commit (\`fsync\` and \`synchronous_commit\` on); records are sent
  with \`acks=all\`.
${settings.map((setting) => `- ${setting}`).join('\n')}
`;
}
