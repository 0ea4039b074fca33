import { once } from 'node:events';
import { Socket } from 'node:net';
import type { PinnedHost } from '@soma/http';
import { ProbeFailure } from '../probe.ts';

/** Far more than a server has to say to sign somebody in and to answer one row. */
const MAX_BYTES = 1024 * 1024;
const LOOK_EVERY_MS = 50;

/** Where a socket is to be connected. */
interface Endpoint extends Pick<PinnedHost, 'address'> {
  port: number;
}

/**
 * A socket that is not connected yet. It ends when the check does, and when more comes than belongs
 * to any answer: drivers keep all of a packet and all rows of a result in memory.
 */
export function boundedSocket(signal: AbortSignal): Socket {
  const socket = new Socket({ signal });
  socket.once('connect', () => {
    const watch = setInterval(() => {
      if (socket.bytesRead > MAX_BYTES) {
        socket.destroy(new ProbeFailure('unexpected_answer'));
      }
    }, LOOK_EVERY_MS);
    socket.once('close', () => {
      clearInterval(watch);
    });
  });
  return socket;
}

/** A {@link boundedSocket} that leads to an address which was looked at. */
export async function connectedSocket(
  { address, port }: Endpoint,
  signal: AbortSignal,
): Promise<Socket> {
  const socket = boundedSocket(signal);
  socket.connect({ host: address, port });
  await once(socket, 'connect');
  return socket;
}
