import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterAll, describe, expect, it } from '@jest/globals';
import { Outbound } from '@soma/http';
import { database } from '../../connection-types/database.ts';
import { probeDatabase } from './database.probe.ts';

const running = new AsyncDisposableStack();
const outbound = new Outbound({ allowedHosts: ['127.0.0.1'] });
running.defer(() => outbound.close());
afterAll(() => running.disposeAsync());

/** A server on a free port that talks to whoever comes. */
async function serve(talk: (socket: Socket) => void): Promise<number> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket.on('error', () => undefined));
    talk(socket);
  });
  running.defer(() => {
    open.forEach((socket) => socket.destroy());
    server.close();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

/** Why a check fails. */
function failureAt(dialect: string, port: number): Promise<unknown> {
  const plain = { dialect, port, host: '127.0.0.1', database: 'd', username: 'u', tls: false };
  const target = { type: database, fields: plain, credentials: new Map(), http: null };
  const signal = AbortSignal.timeout(10_000);
  const context = { outbound, signal, pause: () => Promise.resolve() };
  return probeDatabase(target, context).catch((error: unknown) => error);
}

/** Says one thing after another, each when something was said to it. */
function inTurn(answers: Buffer[]): (socket: Socket) => void {
  return (socket) => {
    let asked = 0;
    socket.on('data', () => {
      socket.write(answers[asked++] ?? Buffer.alloc(0));
    });
  };
}

/** A packet of TDS (MS-TDS 2.2.3): the only one of its message, or one of many. */
function tdsPacket(data: Buffer, isLast: boolean): Buffer {
  const header = Buffer.from([0x04, isLast ? 1 : 0, 0, 0, 0, 0, 1, 0]);
  header.writeUInt16BE(header.length + data.length, 2);
  return Buffer.concat([header, data]);
}

/** PRELOGIN (2.2.6.5): a version, and that the server does not encrypt. */
const PRELOGIN = tdsPacket(
  Buffer.from([0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 255, 16, 0, 0, 0, 0, 0, 2]),
  true,
);

const DONE = Buffer.from([0xfd, ...Array<number>(12).fill(0)]);

/** LOGINACK, ENVCHANGE 20 and DONE (2.2.7): welcome, and go on to another server. */
function route(server: string, port: number): Buffer {
  const ack = Buffer.from([0xad, 10, 0, 1, 0x74, 0, 0, 4, 0, 16, 0, 0, 0]);
  const name = Buffer.from(server, 'ucs2');
  const place = [0, port & 0xff, port >> 8, server.length, 0, ...name];
  const change = Buffer.from([0xe3, 5 + place.length, 0, 20, place.length, 0, ...place, 0, 0]);
  return Buffer.concat([ack, change, DONE]);
}

describe('a database that means harm', () => {
  it('sends the check nowhere else (SQL Server)', async () => {
    let visits = 0;
    const inside = await serve(() => {
      visits++;
    });
    const answers = [PRELOGIN, tdsPacket(route('localhost', inside), true)];
    const port = await serve(inTurn(answers));

    expect(await failureAt('sqlserver', port)).toMatchObject({ reason: 'unexpected_answer' });
    expect(visits).toBe(0);
  });

  const zeros = Buffer.alloc(2 * 1024 * 1024);
  const done = tdsPacket(Buffer.alloc(300 * DONE.length, DONE), false);
  it.each([
    // A message that is announced to be larger than all that comes of it, and one that never ends.
    ['postgresql', inTurn([Buffer.from([0x44, 0x3f, 0xff, 0xff, 0xff, ...zeros])])],
    ['mysql', (socket: Socket) => socket.write(Buffer.from([0xff, 0xff, 0xff, 0, ...zeros]))],
    ['sqlserver', inTurn([PRELOGIN, Buffer.concat(Array<Buffer>(600).fill(done))])],
  ])('is not listened to without end (%s)', async (dialect, talk) => {
    const port = await serve(talk);

    expect(await failureAt(dialect, port)).toMatchObject({ reason: 'unexpected_answer' });
  });
});
