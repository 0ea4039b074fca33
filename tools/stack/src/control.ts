import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { controlSocket } from './paths.ts';

/** What other commands may ask of a running stack. */
export interface ControlActions {
  /** Stops the stack's own copy of a service. */
  release: (service: string) => Promise<void>;
  /** Starts it again. */
  takeBack: (service: string) => void;
  /** Ends the whole stack. */
  down: () => void;
}

/**
 * Listens for one-line requests: `release <service>` and `down`, each answered by `ok` or a sentence.
 *
 * A released service is lent to a connection: when that closes, for whatever reason, the stack takes
 * the service back.
 */
export async function listenForControl(actions: ControlActions): Promise<Server> {
  await rm(controlSocket, { force: true });
  const server = createServer((socket) => {
    serve(socket, actions);
  }).listen(controlSocket);
  await once(server, 'listening');
  return server;
}

function serve(socket: Socket, actions: ControlActions): void {
  const lent = new Set<string>();
  socket.on('error', () => undefined);
  socket.on('close', () => {
    lent.forEach(actions.takeBack);
  });
  createInterface({ input: socket }).on('line', (line) => {
    void answer(line, actions, lent).then((reply) => socket.write(`${reply}\n`));
  });
}

async function answer(line: string, actions: ControlActions, lent: Set<string>): Promise<string> {
  const [request, service = ''] = line.split(' ');
  if (request === 'down') actions.down();
  if (request !== 'release') return 'ok';
  try {
    lent.add(service);
    await actions.release(service);
    return 'ok';
  } catch (error) {
    lent.delete(service);
    return error instanceof Error ? error.message : String(error);
  }
}

/** Asks the running stack for something. What was lent comes back when the socket is closed. */
export async function askStack(request: string): Promise<Socket> {
  const socket = connect(controlSocket);
  await once(socket, 'connect');
  socket.write(`${request}\n`);
  const [reply] = (await once(createInterface({ input: socket }), 'line')) as [string];
  if (reply === 'ok') return socket;
  socket.destroy();
  throw new Error(reply);
}
