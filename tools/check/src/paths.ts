import { resolve } from 'node:path';

/** The root of the workspace. */
export const workspace = resolve(import.meta.dirname, '../../..');
