import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** How the stand-in behaves the next time that it is started. */
type CloudflaredMode = 'works' | 'refuses' | 'has no hostname' | 'does not connect';

/** What a start of the stand-in was given. */
interface Start {
  pid: number;
  arguments: string[];
}

/** A stand-in for cloudflared, first on the path of this process. */
export interface StandIn extends AsyncDisposable {
  behave: (mode: CloudflaredMode) => Promise<void>;
  starts: () => Promise<Start[]>;
  /** Those of its processes that run. */
  running: () => Promise<number[]>;
}

/** A token as Cloudflare makes them: account, tunnel and secret. */
export function tunnelToken(tunnelId: string): string {
  const content = { a: 'account', t: tunnelId, s: Buffer.from('canary').toString('base64') };
  return Buffer.from(JSON.stringify(content)).toString('base64');
}

/**
 * Puts a program named `cloudflared` on the path. Cloudflare is on the internet, where no test goes;
 * the program writes on standard error what the real one does.
 */
export async function putCloudflared(): Promise<StandIn> {
  const folder = await mkdtemp(join(tmpdir(), 'soma-tunnel-'));
  const program = join(folder, 'cloudflared');
  await writeFile(program, PROGRAM);
  await chmod(program, 0o755);
  await writeFile(join(folder, 'mode'), 'works');
  await writeFile(join(folder, 'starts'), '');
  const before = process.env['PATH'] ?? '';
  process.env['PATH'] = [folder, before].join(delimiter);
  const starts = async (): Promise<Start[]> => {
    const lines = (await readFile(join(folder, 'starts'), 'utf8')).trim();
    return lines === '' ? [] : lines.split('\n').map((line) => JSON.parse(line) as Start);
  };
  return {
    behave: (mode) => writeFile(join(folder, 'mode'), mode),
    starts,
    running: async () => (await starts()).map(({ pid }) => pid).filter(isRunning),
    [Symbol.asyncDispose]: async () => {
      process.env['PATH'] = before;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const PROGRAM = `#!${process.execPath}
const { appendFileSync, readFileSync } = require('node:fs');
const { join } = require('node:path');
appendFileSync(join(__dirname, 'starts'), JSON.stringify({ pid: process.pid, arguments: process.argv.slice(2) }) + '\\n');
const mode = readFileSync(join(__dirname, 'mode'), 'utf8');
const say = (line) => process.stderr.write(JSON.stringify({ time: new Date().toISOString(), ...line }) + '\\n');
const { TUNNEL_TOKEN: token = '' } = process.env;
if (token === '' || mode === 'refuses') {
  say({ level: 'error', error: 'Unauthorized: Invalid tunnel secret for ' + token, message: 'Register tunnel error from server side' });
  process.exit(1);
}
say({ level: 'info', message: 'Starting tunnel tunnelID=' + JSON.parse(atob(token)).t });
process.stderr.write('failed to sufficiently increase receive buffer size (was: 208 kiB, wanted: 7168 kiB)\\n');
if (mode !== 'does not connect') {
  setTimeout(() => {
    say({ level: 'info', connIndex: 0, protocol: 'quic', message: 'Registered tunnel connection' });
    const rules = [{ service: 'http_status:404' }];
    if (mode === 'works') rules.unshift({ hostname: 'hooks.example.com', service: 'http://localhost:8010' });
    say({ level: 'info', version: 1, config: JSON.stringify({ ingress: rules }), message: 'Updated to new configuration' });
  }, 50);
}
setInterval(() => undefined, 1000);
`;
