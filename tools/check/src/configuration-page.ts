import type { SettingDescription } from '@soma/kernel';
import type { DescribedService } from './services.ts';

const INTRODUCTION = `# Configuration

Every service reads its settings from the environment, once, when it starts. It reports all faults
together, by name, and exits with code 78. \`node apps/<app>/dist/main.js --print-config\` prints what
it would run with; secrets are masked.

- An empty variable counts as unset, except where the text says what empty means.
- A secret may stand in a file instead: \`<NAME>_FILE\` names it.
- Protections may be relaxed only with \`NODE_ENV=development\`. Unset means production.

This page is generated from the schemas (\`npm run generate\`).
`;

/** The page of all settings: those of several services once, then each service's own. */
export function configurationPage(services: readonly DescribedService[]): string {
  const readers = new Map<string, string[]>();
  for (const { name, settings } of services) {
    for (const setting of settings) {
      const key = JSON.stringify(setting);
      readers.set(key, [...(readers.get(key) ?? []), name]);
    }
  }
  const rows = [...readers].map(([key, names]) => ({
    setting: JSON.parse(key) as SettingDescription,
    names,
  }));
  const shared = rows.filter(({ names }) => names.length > 1);
  const sections = services.map(({ name }) => {
    const own = rows.filter(({ names }) => names.length === 1 && names[0] === name);
    return `## ${name}\n\n${table(['Name', 'Default', 'Meaning'], own.map(cells))}`;
  });
  const common = table(
    ['Name', 'Default', 'Meaning', 'Read by'],
    shared.map((row) => [...cells(row), row.names.join(', ')]),
  );
  return [INTRODUCTION, `## Shared\n\n${common}`, ...sections].join('\n');
}

function cells({ setting }: { setting: SettingDescription }): string[] {
  const { name, unit, secret, required, description } = setting;
  const value = setting.default === undefined ? '' : `\`${setting.default}\``;
  const preset = required ? '**required**' : setting.default === '' ? '' : value;
  const measure = unit === undefined || preset === '' ? '' : ` ${unit}`;
  return [`\`${name}\`${secret ? ' (secret)' : ''}`, `${preset}${measure}`, description];
}

function table(head: string[], rows: string[][]): string {
  const line = (row: string[]) =>
    `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return `${[line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')}\n`;
}
