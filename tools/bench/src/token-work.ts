/*
 * What the benchmark of refreshes needs of a process with our libraries: it seals tokens as the
 * connection catalog stores them, and it is the bare loop that asks for as many with nothing around it.
 */
import { Secret } from '@soma/kernel';
import { Envelope, secretContext } from '@soma/secrets';

interface SealOrder {
  do: 'seal';
  masterKey: string;
  tenantId: string;
  ids: string[];
}

interface FetchOrder {
  do: 'fetch';
  url: string;
  count: number;
  parallel: number;
}

function seal({ masterKey, tenantId, ids }: SealOrder): string[] {
  const envelope = new Envelope(new Secret(masterKey));
  const tokens = { access_token: 'before', refresh_token: 'before', expires_at: null, scope: null };
  const value = new Secret(JSON.stringify({ generation: 1, ...tokens }));
  return ids.map((connection) =>
    envelope.seal(value, secretContext({ tenantId, connection, field: 'oauth_tokens' }, 1)),
  );
}

/** How many a second. */
async function fetchAll({ url, count, parallel }: FetchOrder): Promise<number> {
  let left = count;
  const lane = async (): Promise<void> => {
    while (left-- > 0) {
      const form = { grant_type: 'refresh_token', refresh_token: 'before', client_id: 'bench' };
      const answer = await fetch(url, { method: 'POST', body: new URLSearchParams(form) });
      await answer.json();
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: parallel }, lane));
  return (1_000 * count) / (performance.now() - startedAt);
}

process.on('message', (order: SealOrder | FetchOrder | { do: 'collect' }) => {
  if (order.do === 'seal') process.send?.(seal(order));
  if (order.do === 'fetch') void fetchAll(order).then((rate) => process.send?.(rate));
});
process.send?.('ready');
