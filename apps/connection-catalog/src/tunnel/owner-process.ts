import { Secret } from '@soma/kernel';
import { cloudflareProvider } from './cloudflare-tunnel.ts';

// A process that has a tunnel and does nothing else, so that a test may kill it.
const token = new Secret(process.argv[2] ?? '');
const { publicUrl } = await cloudflareProvider({ token }).open(AbortSignal.timeout(60_000));
process.stdout.write(publicUrl);
process.stdin.resume();
