/*
 * The least that serves streams: Node's http, one open response per reader, and a loop that writes
 * one frame to all of them.
 */
import { createServer, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';

const readers = new Set<ServerResponse>();

function publish(frame: Buffer, times: number): void {
  for (let event = 0; event < times; event += 1) {
    for (const reader of readers) reader.write(frame);
  }
}

createServer((request, response) => {
  if (request.method === 'POST') {
    const times = Number(request.headers['x-times']);
    void text(request).then((frame) => {
      publish(Buffer.from(frame), times);
      response.end();
    });
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.flushHeaders();
  readers.add(response);
  response.once('close', () => readers.delete(response));
}).listen(Number(process.env['PORT']), '127.0.0.1', () => process.send?.('ready'));
