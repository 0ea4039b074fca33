import type { MasterKeyLine, StoredSecrets } from './stored-secrets.ts';

/** What the tool was asked for in the wrong words. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const USAGE = `Usage: npm run -s secrets -- <command>
  status    opens every stored secret, and tells under which master keys they are
  rotate    wraps the keys of stored secrets with SOMA_MASTER_KEY, where another one did`;

/** Prints one value as one line of JSON. */
export type Print = (value: unknown) => void;

/**
 * Runs one command.
 *
 * @param operatorTenant - In whose audit log it stands that master keys are replaced.
 */
export async function runCommand(
  secrets: StoredSecrets,
  command: string | undefined,
  { print, operatorTenant }: { print: Print; operatorTenant: string },
): Promise<void> {
  switch (command) {
    case 'rotate':
      // Before anything is changed: it may be cut off in the middle.
      await secrets.announceRotation(operatorTenant);
      print({ wrapped: await secrets.rotate() });
      await tell(secrets, print);
      return;
    case 'status':
      await tell(secrets, print);
      return;
    default:
      throw new UsageError(USAGE);
  }
}

async function tell(secrets: StoredSecrets, print: Print): Promise<void> {
  const lines = await secrets.status();
  for (const line of lines) print(line);
  const unreadable = lines.reduce((count, line) => count + line.unreadable, 0);
  if (unreadable > 0) throw new Error(adviceOn(lines, unreadable));
}

function adviceOn(lines: MasterKeyLine[], unreadable: number): string {
  const unknown = lines.filter(({ state }) => state === 'unknown');
  const ids = unknown.map(({ master_key_id }) => master_key_id).join(', ');
  return unknown.length > 0
    ? `${unreadable} secrets do not open. Put the master keys ${ids} into SOMA_MASTER_KEY_OTHERS.`
    : `${unreadable} secrets do not open: they were altered or moved in the database.`;
}
