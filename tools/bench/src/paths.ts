import { resolve } from 'node:path';

/** The root of the checkout. */
export const workspace = resolve(import.meta.dirname, '../../..');

/** A program of this folder, by its path below `src`. */
export function program(path: string): string {
  return resolve(import.meta.dirname, path);
}
