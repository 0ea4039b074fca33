import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { figureOf, type Report } from './figure.ts';
import { type Child, startApp, startBareService, startBuiltProgram } from './processes.ts';
import { interleave } from './rounds.ts';
import { type Servers, startServers, TENANT } from './servers.ts';

const TOKENS = 10_000;
/** As many as one pod has under way. */
const PARALLEL = 1_024;
const LIMIT_MS = 120_000;

/** How fast tokens that are about to expire are refreshed, each stored before the next may use it. */
export async function refresh(): Promise<Report> {
  await using servers = await startServers();
  await using provider = await startBareService('bare/token-endpoint.ts');
  await using work = await startBuiltProgram('token-work.ts');
  const masterKey = randomBytes(32).toString('base64');
  await storeTokens(servers, work, { masterKey, url: `${provider.url}/token` });
  await using running = new AsyncDisposableStack();
  const settings = { SOMA_MASTER_KEY: masterKey, OUTBOUND_ALLOWED_HOSTS: '127.0.0.1' };
  running.use(await startApp('connection-catalog', servers, settings));

  const order = { do: 'fetch', url: `${provider.url}/token`, count: TOKENS, parallel: PARALLEL };
  const rounds = await interleave({
    soma: () => refreshRate(servers),
    // The program answers a number.
    bare: async () => (await work.ask(order)) as number,
  });
  return {
    figures: [
      figureOf({ name: 'refresh of tokens', unit: 'tokens/s', goal: { atLeast: 0.5 } }, rounds),
    ],
    settings: [
      `refresh: ${TOKENS} tokens a round that are due at once, of one pod, ${PARALLEL} at a time; the ` +
        'provider answers at once and rotates; bare asks it as often, as many at a time, with ' +
        '`fetch`, and stores nothing.',
    ],
  };
}

/** Connections that somebody has authorised, with their tokens, as the catalog stores them. */
async function storeTokens(
  { postgres }: Servers,
  work: Child,
  { masterKey, url }: { masterKey: string; url: string },
): Promise<void> {
  const ids = Array.from({ length: TOKENS }, () => randomUUID());
  // The program answers one text for each id.
  const sealed = (await work.ask({ do: 'seal', masterKey, tenantId: TENANT, ids })) as string[];
  const client = {
    ...{ provider: null, issuer: null, sends_issuer: false, authorization_endpoint: null },
    ...{ token_endpoint: url, device_authorization_endpoint: null, revocation_endpoint: null },
    ...{ client_id: 'bench', authentication: 'none', scopes: [], resource: null },
    ...{ audience: null, has_pkce: true, registered_for: null },
  };
  await postgres.execute(
    // Their health is looked at as that of old connections: spread over the time between two checks.
    `INSERT INTO catalog.connections
       (tenant_id, connection_id, name, type, fields, created_by, health_due_at)
     SELECT $1, id, 'c-' || id, 'oauth_app', '{}', 'bench', now() + random() * interval '300 s'
       FROM unnest($2::uuid[]) AS id`,
    [TENANT, ids],
  );
  await postgres.execute(
    `WITH given AS (SELECT id, sealed FROM unnest($2::uuid[], $3::text[]) AS given (id, sealed)),
          versions AS (
            INSERT INTO catalog.secret_versions (tenant_id, connection_id, field, last_version)
            SELECT $1, id, 'oauth_tokens', 1 FROM given)
     INSERT INTO catalog.secrets (tenant_id, connection_id, field, version, sealed)
     SELECT $1, id, 'oauth_tokens', 1, sealed FROM given`,
    [TENANT, ids, sealed],
  );
  await postgres.execute(
    `INSERT INTO catalog.oauth_grants
       (tenant_id, connection_id, grant_type, client, status, generation, token_version,
        is_renewable, authorized_by, due_at)
     SELECT $1, id, 'authorization_code', $3, 'active', 1, 1, true, 'bench', now() + interval '1 h'
       FROM unnest($2::uuid[]) AS id`,
    [TENANT, ids, JSON.stringify(client)],
  );
  // Tables that fill up in daily use have statistics. Without them each statement reads all rows.
  await postgres.execute('ANALYZE');
}

/** How many a second, from the moment that they are due to the last one that is stored. */
async function refreshRate({ postgres }: Servers): Promise<number> {
  const [due] = await postgres.execute(
    'UPDATE catalog.oauth_grants SET due_at = now() RETURNING due_at',
  );
  const deadline = Date.now() + LIMIT_MS;
  while (Date.now() < deadline) {
    await delay(200);
    const [state] = await postgres.execute(
      `SELECT count(*) FILTER (WHERE renewed_at >= $1)::int AS done,
              extract(epoch FROM max(renewed_at) - $1)::float8 AS seconds
         FROM catalog.oauth_grants`,
      [due?.['due_at']],
    );
    if (state?.['done'] === TOKENS) return TOKENS / Number(state['seconds']);
  }
  throw new Error('The tokens were not refreshed in time.');
}
