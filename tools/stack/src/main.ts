/** The development stack: `npm start`, and `npm run stack -- <command>` while it is up. */
import { workspace } from './paths.ts';
import { down } from './commands/down.ts';
import { logs } from './commands/logs.ts';
import { reset } from './commands/reset.ts';
import { start } from './commands/start.ts';
import { status } from './commands/status.ts';
import { token } from './commands/token.ts';

const commands: Record<string, (args: string[]) => Promise<void>> = {
  start,
  status,
  logs,
  token,
  down,
  reset,
};

process.chdir(workspace);
const [name = 'status', ...args] = process.argv.slice(2);
try {
  const command = commands[name];
  if (!command) throw new Error(`Unknown command "${name}": ${Object.keys(commands).join(', ')}.`);
  await command(args);
  process.exit();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
