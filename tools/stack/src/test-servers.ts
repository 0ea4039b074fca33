/** Keeps one set of servers up for all test runs of this checkout, until Ctrl-C. */
import { once } from 'node:events';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { recordOfServers, startSharedServers } from '@soma/testing';

const record = recordOfServers(resolve(import.meta.dirname, '../../..'));
await using servers = await startSharedServers();
await mkdir(dirname(record), { recursive: true });
await writeFile(`${record}.new`, JSON.stringify(servers), { mode: 0o600 });
await rename(`${record}.new`, record);
process.stdout.write(`Test servers are up. Test runs of this checkout use them until Ctrl-C.\n`);
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
await rm(record, { force: true });
