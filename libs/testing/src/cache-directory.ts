import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where servers and tools that are fetched or built once a machine are kept, outside of every clone. */
export const cacheDirectory = join(
  process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
  'soma',
);
