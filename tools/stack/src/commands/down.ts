import { once } from 'node:events';
import { askStack } from '../control.ts';
import { requireStack } from '../stack-file.ts';

/** Ends the stack that is up, and waits until it has. */
export async function down(): Promise<void> {
  await requireStack();
  const socket = await askStack('down');
  if (!socket.closed) await once(socket, 'close');
  process.stdout.write('The stack has ended.\n');
}
