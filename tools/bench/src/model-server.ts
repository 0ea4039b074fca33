/* The model provider, in a process of its own, as it is in the world. */
import { startModelServer } from '@soma/testing';

await startModelServer({ port: Number(process.env['PORT']) });
process.send?.('ready');
