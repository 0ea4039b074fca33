import { setTimeout as delay } from 'node:timers/promises';

const LIMIT_MS = 45_000;

/**
 * Waits until something holds or is there, looking again and again.
 *
 * @param look - Answers false or undefined for as long as it has to be asked again.
 * @returns What was found.
 */
export async function until<Result>(
  look: () => Promise<Result | undefined | false> | Result | undefined | false,
  limitMs = LIMIT_MS,
): Promise<Result> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const result = await look();
    if (result !== undefined && result !== false) return result;
    if (Date.now() > deadline) throw new Error(`It did not come to pass: ${String(look)}`);
    await delay(20);
  }
}
