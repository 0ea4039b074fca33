import { median } from './rounds.ts';

/** One line of the result: what Soma does, beside the least that could do the same. */
export interface Figure {
  name: string;
  unit: string;
  soma: number;
  bare: number;
  /** Of Soma to bare: the median over the rounds. */
  ratio: number;
  /** What the ratio should be, where something was promised. */
  goal?: { atLeast: number } | { atMost: number };
}

/** What a benchmark found, and all that helps to read it. */
export interface Report {
  figures: Figure[];
  /** How it was measured, one sentence each. */
  settings: string[];
}

/** Makes a figure of what was measured in each round. */
export function figureOf(
  about: Pick<Figure, 'name' | 'unit' | 'goal'>,
  rounds: readonly { soma: number; bare: number }[],
): Figure {
  return {
    ...about,
    soma: median(rounds.map(({ soma }) => soma)),
    bare: median(rounds.map(({ bare }) => bare)),
    ratio: median(rounds.map(({ soma, bare }) => soma / bare)),
  };
}

/** A Markdown table. */
export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map(({ name, unit, soma, bare, ratio, goal }) =>
    [name, `${round(soma)} ${unit}`, `${round(bare)} ${unit}`, `${ratio.toFixed(2)}×`]
      .concat(goalText(goal), verdict(ratio, goal))
      .join(' | '),
  );
  return [
    '| figure | Soma | bare | ratio | goal | |',
    '|---|--:|--:|--:|--:|---|',
    ...rows.map((row) => `| ${row} |`),
  ].join('\n');
}

function round(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}

function goalText(goal: Figure['goal']): string {
  if (!goal) return '';
  return 'atLeast' in goal ? `≥ ${goal.atLeast}×` : `≤ ${goal.atMost}×`;
}

function verdict(ratio: number, goal: Figure['goal']): string {
  if (!goal) return '';
  const isMet = 'atLeast' in goal ? ratio >= goal.atLeast : ratio <= goal.atMost;
  return isMet ? 'met' : 'missed';
}
