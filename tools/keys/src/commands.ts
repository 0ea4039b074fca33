import { sleep } from '@soma/kernel';
import type { KeyLine, SigningKeys } from './signing-keys.ts';

const LOOK_AGAIN_MS = 500;

/** What the tool was asked for in the wrong words. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const USAGE = `Usage: npm run -s keys -- <command>
  list      the keys that sign access tokens, and when
  rotate    have a new key made: it is published at once and signs some minutes later`;

/** Prints one value as one line of JSON. */
export type Print = (value: unknown) => void;

/**
 * Runs one command.
 *
 * @param waitMs - How long `rotate` waits for a pod of identity to make the key.
 */
export async function runCommand(
  keys: SigningKeys,
  command: string | undefined,
  { print, waitMs = 60_000 }: { print: Print; waitMs?: number },
): Promise<void> {
  switch (command) {
    case 'list':
      for (const key of await keys.list()) print(key);
      return;
    case 'rotate':
      print(await rotate(keys, waitMs));
      return;
    default:
      throw new UsageError(USAGE);
  }
}

async function rotate(keys: SigningKeys, waitMs: number): Promise<KeyLine> {
  const before = await keys.list();
  const waiting = before.find(({ state }) => state === 'waits');
  if (waiting !== undefined) {
    const from = waiting.signs_from.toISOString();
    throw new Error(`The key ${waiting.kid} waits to sign from ${from} on. Rotate again after it.`);
  }
  await keys.request();
  const known = new Set(before.map(({ kid }) => kid));
  const deadline = Date.now() + waitMs;
  while (Date.now() < deadline) {
    const made = (await keys.list()).find(({ kid }) => !known.has(kid));
    if (made !== undefined) {
      return made;
    }
    await sleep(LOOK_AGAIN_MS);
  }
  throw new Error('No pod of identity has made the key yet. One that starts will make it.');
}
