import { hostname, userInfo } from 'node:os';

/** Who runs a command, for the audit log: `cli:ann@laptop`. It is what the machine says, unproven. */
export function processUser(): string {
  return `cli:${userName()}@${hostname()}`;
}

/** A container may run under a number that has no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}
