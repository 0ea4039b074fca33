import { fetchToken } from '../identity-clients.ts';
import { loadSecrets } from '../secrets.ts';
import { requireStack } from '../stack-file.ts';

/** Prints a fresh development token and nothing else. */
export async function token(): Promise<void> {
  const { services } = await requireStack();
  const issued = await fetchToken(services['identity']?.url ?? '', await loadSecrets());
  process.stdout.write(`${issued.token}\n`);
}
