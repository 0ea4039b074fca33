/** Odd, so that the median is a round that was measured. */
export const ROUNDS = 7;

/** One measurement of each contender. */
export type Contenders<Name extends string, Measured> = Record<Name, () => Promise<Measured>>;

/**
 * Measures the contenders in turn, round by round, so that whatever else the machine does meanwhile
 * meets all of them alike. A first round warms up and is forgotten.
 */
export async function interleave<Name extends string, Measured>(
  contenders: Contenders<Name, Measured>,
): Promise<Record<Name, Measured>[]> {
  const rounds: Record<Name, Measured>[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const measured: Partial<Record<Name, Measured>> = {};
    for (const name of Object.keys(contenders) as Name[]) {
      measured[name] = await contenders[name]();
    }
    // Every name has been measured by now.
    if (round > 0) rounds.push(measured as Record<Name, Measured>);
  }
  return rounds;
}

/** The value that so many of the others do not exceed: 0.5 is the median. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  if (value === undefined) throw new Error('Nothing was measured.');
  return value;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);
