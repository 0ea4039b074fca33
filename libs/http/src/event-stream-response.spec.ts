import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, Module, Res } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply } from 'fastify';
import { createService } from './create-service.ts';
import { EventStreamResponse } from './event-stream-response.ts';

const MANY_BYTES = 1_000_000;
const opened: EventStreamResponse[] = [];

@Controller()
class StreamController {
  @Get('events')
  events(@Res() reply: FastifyReply): void {
    opened.push(new EventStreamResponse(reply));
  }
}

@Module({ controllers: [StreamController] })
class StreamModule {}

describe('EventStreamResponse', () => {
  let service: NestFastifyApplication;

  beforeAll(async () => {
    service = await createService(StreamModule);
    await service.listen(0, '127.0.0.1');
  });

  afterAll(() => service.close());

  async function open(): Promise<{ response: Response; stream: EventStreamResponse }> {
    const response = await fetch(`${await service.getUrl()}/events`);
    const stream = opened.at(-1);
    if (stream === undefined) {
      throw new Error('no stream was opened');
    }
    return { response, stream };
  }

  it('begins at once, unbuffered on the way, with the standard headers', async () => {
    const { response, stream } = await open();

    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
      'x-api-version': 'v1',
      'x-request-id': expect.any(String),
    });
    stream.end();
    expect(await response.text()).toBe('');
  });

  it('sends what is written, piece by piece, and ends', async () => {
    const { response, stream } = await open();
    const reader = response.body?.getReader();
    const read = async () => Buffer.from((await reader?.read())?.value ?? []).toString();

    stream.write('id: 1.0\n\n');
    expect(await read()).toBe('id: 1.0\n\n');
    stream.write(Buffer.from('data: é\n\n'));
    expect(await read()).toBe('data: é\n\n');
    stream.end();
    expect((await reader?.read())?.done).toBe(true);
  });

  it('says how much its reader has not taken, and can be cut', async () => {
    const { hostname, port } = new URL(await service.getUrl());
    const socket = connect(Number(port), hostname);
    socket.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(socket, 'readable');
    const stream = opened.at(-1);
    const closed = new Promise<void>((resolve) => stream?.onClose(resolve));
    const frame = Buffer.alloc(100_000, 'x');

    // What the kernel takes in between differs; nobody reads, so that it ends in any case.
    let writes = 0;
    while ((stream?.bufferedBytes ?? 0) < MANY_BYTES) {
      stream?.write(frame);
      expect(++writes).toBeLessThan(1000);
    }

    stream?.cut();
    await closed;
    socket.destroy();
  });

  it('hears when its reader leaves', async () => {
    const { response, stream } = await open();
    const closed = new Promise<void>((resolve) => {
      stream.onClose(resolve);
    });

    await response.body?.cancel();

    await closed;
  });
});
