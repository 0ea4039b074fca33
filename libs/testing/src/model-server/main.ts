import { parseArgs } from 'node:util';
import { startModelServer } from './model-server.ts';

/** The model server as a process of its own: `node main.ts --port 8099`. It prints its URL. */
const { values } = parseArgs({ options: { port: { type: 'string', default: '0' } } });
const { url } = await startModelServer({ port: Number(values.port) });
process.stdout.write(`${url}\n`);
