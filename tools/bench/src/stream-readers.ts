/*
 * Many readers of event streams, in a process of their own. They count events and look at nothing:
 * what a reader costs should not be what is measured.
 */
import { connect, type Socket } from 'node:net';
import type { ReaderOrder } from './readers.ts';

/** Every event has one such line, and heartbeats have none. */
const MARK = Buffer.from('\ndata: ');
/** How many connections are opened at once. */
const OPENING = 50;

let sockets: Socket[] = [];
let events = 0;
let awaited = Infinity;

function answerOnceHeard(): void {
  if (events < awaited) return;
  awaited = Infinity;
  process.send?.(events);
}

function count(chunk: Buffer): void {
  for (let at = chunk.indexOf(MARK); at >= 0; at = chunk.indexOf(MARK, at + MARK.length)) {
    events += 1;
  }
}

/** Resolves when the headers of the answer are there. */
function open(port: number, path: string, token: string): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  return new Promise((resolve, reject) => {
    // A mark may begin in one chunk and end in the next.
    let rest = Buffer.alloc(0);
    socket.once('data', (head) => {
      if (head.includes(' 200 ')) resolve();
      else reject(new Error(head.toString()));
    });
    socket.once('error', reject);
    socket.on('data', (chunk) => {
      const bytes = Buffer.concat([rest, chunk]);
      count(bytes);
      rest = bytes.subarray(1 - MARK.length);
      answerOnceHeard();
    });
  });
}

async function openAll({ port, paths, token }: ReaderOrder & { do: 'open' }): Promise<void> {
  for (let from = 0; from < paths.length; from += OPENING) {
    await Promise.all(paths.slice(from, from + OPENING).map((path) => open(port, path, token)));
  }
  process.send?.('open');
}

process.on('message', (order: ReaderOrder) => {
  switch (order.do) {
    case 'open':
      void openAll(order);
      break;
    case 'reset':
      events = 0;
      process.send?.('reset');
      break;
    case 'hear':
      awaited = order.events;
      answerOnceHeard();
      break;
    case 'close':
      for (const socket of sockets) socket.destroy();
      sockets = [];
      process.send?.('closed');
      break;
  }
});
process.send?.('ready');
