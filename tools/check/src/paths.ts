import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** The root of the workspace. */
export const workspace = resolve(import.meta.dirname, '../../..');

/** Where tools that are built once are kept, outside of every clone. */
export const cacheDirectory = join(homedir(), '.cache', 'soma');
