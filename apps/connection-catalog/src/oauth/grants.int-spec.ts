import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AuditEvent } from '@soma/contracts';
import { TenantTransaction } from '@soma/persistence';
import { until } from '@soma/testing';
import type { EntityManager } from 'typeorm';
import {
  type CatalogServers,
  createCatalogServers,
  listenToAudit,
  startCatalog,
  type TestAnswer,
  type TestCatalog,
} from '../spec-support.ts';
import { type ClaimedGrant, ClaimGrants } from './grants/claim-grants.ts';
import type { HeldGrant } from './grants/grant.ts';
import { afterRenewal, type Renewal } from './grants/grant-lifecycle.ts';
import { GrantsRepository } from './grants/grants.repository.ts';
import { RenewGrant } from './grants/renew-grant.ts';
import {
  addConnection,
  connectionTo,
  initiate,
  OAUTH_SETTINGS,
  type TestConnection,
  tokenOf,
} from './spec-support.ts';
import { TestBrowser } from './browser/spec-support.ts';
import { TestProvider } from './provider/spec-support.ts';
import { OAuthConnections } from './connections/oauth-connections.ts';
import { StoreGrant } from './grants/store-grant.ts';
import { startTokenEndpoint, type TokenEndpoint } from './servers/spec-support.ts';

const REFRESH = 'refresh_token';

describe('the tokens of connections', () => {
  const running = new AsyncDisposableStack();
  let servers: CatalogServers;
  let pods: TestCatalog[];
  let catalog: TestCatalog;
  let provider: TestProvider;
  let heard: AuditEvent[];
  let grants: GrantsRepository;

  beforeAll(async () => {
    servers = await createCatalogServers(running);
    pods = await Promise.all([1, 2, 3].map(() => startCatalog(servers, OAUTH_SETTINGS)));
    for (const pod of pods) running.use(pod);
    [catalog] = pods as [TestCatalog];
    heard = await listenToAudit(servers, running);
    grants = catalog.service.get(GrantsRepository, { strict: false });
    provider = running.use(await TestProvider.start());
  });
  afterAll(() => running.disposeAsync());

  async function authorise(
    change: Partial<TestConnection> = {},
  ): Promise<{ name: string; id: string }> {
    const connection = connectionTo(provider, change);
    const id = await addConnection({ servers, catalog }, connection);
    const browser = new TestBrowser();
    const started = await initiate({ catalog, browser }, { connection_name: connection.name });
    const parameters = await browser.agree(String(started.body['authorization_url']));
    await browser.comeBack(catalog, parameters);
    return { name: connection.name, id };
  }

  async function clientCredentials(
    tokenUrl: string,
    others: Record<string, unknown> = {},
  ): Promise<{ name: string; id: string }> {
    const fields = { issuer: undefined, token_url: tokenUrl, ...others };
    const connection = connectionTo(provider, { fields });
    const id = await addConnection({ servers, catalog }, connection);
    await grantAnew(connection.name);
    return { name: connection.name, id };
  }

  function grantAnew(name: string): Promise<TestAnswer> {
    const body = { connection_name: name, grant_type: 'client_credentials' };
    return catalog.send('POST', '/api/v1/oauth/initiate', { body });
  }

  const revoke = (name: string): Promise<TestAnswer> =>
    catalog.send('POST', `/api/v1/oauth/revoke/${name}`);

  const keptOf = (id: string): Promise<unknown[]> =>
    servers.database.execute(
      `SELECT FROM catalog.secrets WHERE connection_id = $1 AND field = 'oauth_tokens'`,
      [id],
    );

  const change = (id: string, assignments: string): Promise<unknown> =>
    servers.database.execute(
      `UPDATE catalog.oauth_grants SET ${assignments} WHERE connection_id = $1`,
      [id],
    );

  const run = <Result>(work: (manager: EntityManager) => Promise<Result>): Promise<Result> =>
    catalog.service.get(TenantTransaction, { strict: false }).run('acme', work);

  async function claim(id: string): Promise<ClaimedGrant> {
    const seen = await run((manager) => grants.find(manager, id));
    const claiming = catalog.service.get(ClaimGrants, { strict: false });
    const claimed = await run(async (manager) => seen && claiming.one(manager, seen));
    if (claimed === undefined) throw new Error('It is held by somebody.');
    return claimed;
  }

  const renew = (claimed: ClaimedGrant): Promise<void> =>
    catalog.service.get(RenewGrant, { strict: false }).execute(claimed);

  const DUE = 'due_at = now()';
  const EXPIRED = `due_at = now(), expires_at = now() - interval '1 s'`;

  async function rowOf(id: string): Promise<Record<string, unknown>> {
    const [row] = await servers.database.execute(
      'SELECT * FROM catalog.oauth_grants WHERE connection_id = $1',
      [id],
    );
    return row ?? {};
  }

  async function statusOf(name: string): Promise<Record<string, unknown>> {
    return (await catalog.send('GET', `/api/v1/oauth/status/${name}`)).body;
  }

  it('are renewed before they end, once, by whichever pod has the time', async () => {
    const grants = await Promise.all(Array.from({ length: 12 }, () => authorise()));
    const before = await Promise.all(grants.map(({ id }) => tokenOf(catalog, id)));
    const asked = provider.count(REFRESH);

    await Promise.all(grants.map(({ id }) => change(id, DUE)));
    await until(async () => {
      const rows = await Promise.all(grants.map(({ id }) => rowOf(id)));
      return rows.every(({ renewed_at }) => renewed_at !== null);
    });
    const after = await Promise.all(grants.map(({ id }) => tokenOf(catalog, id)));

    expect(provider.count(REFRESH) - asked).toBe(grants.length);
    expect(after.filter((token, index) => token === before[index])).toEqual([]);
    expect(await Promise.all(after.map((token) => provider.knows(token)))).not.toContain(false);
    // They live for an hour, and the threshold is five minutes.
    const { expires_at, due_at } = await rowOf(grants[0]?.id ?? '');
    const aheadMs = (expires_at as Date).getTime() - (due_at as Date).getTime();
    expect(aheadMs).toBeGreaterThanOrEqual(300_000);
    expect(aheadMs).toBeLessThanOrEqual(330_000);
  });

  it('are renewed for whoever asks for one that has expired, who waits for it', async () => {
    const { id } = await authorise();
    const old = await tokenOf(catalog, id);
    const asked = provider.count(REFRESH);
    await change(id, EXPIRED);

    const tokens = await Promise.all(
      Array.from({ length: 30 }, (_each, index) => tokenOf(pods[index % 3] ?? catalog, id)),
    );

    expect(new Set(tokens).size).toBe(1);
    expect(tokens[0]).not.toBe(old);
    expect(provider.count(REFRESH) - asked).toBe(1);
  });

  it('tell every process of Soma to let go of the old one, and of nothing else', async () => {
    const endpoint = running.use(await startTokenEndpoint());
    const { name, id } = await clientCredentials(endpoint.url);
    const versionOf = async (): Promise<number> => {
      const [row] = await servers.database.execute(
        'SELECT version::int AS version FROM catalog.config_updates WHERE entity_id = $1',
        [`acme:${name}`],
      );
      return Number(row?.['version'] ?? -1);
    };
    const before = await versionOf();
    endpoint.answer = { status: 503 };
    await renew(await claim(id));
    const afterFailure = await versionOf();
    endpoint.answer = undefined;
    await renew(await claim(id));

    expect(await rowOf(id)).toMatchObject({ generation: 2 });
    expect(afterFailure).toBe(before);
    expect(await versionOf()).toBeGreaterThan(before);
  });

  it('are over once the provider says so, with the reason, and nobody asks again', async () => {
    const { name, id } = await authorise();
    await provider.revokeAll(await tokenOf(catalog, id));
    await change(id, EXPIRED);

    await expect(tokenOf(catalog, id)).rejects.toMatchObject({
      code: 'connection_reauthorization_required',
    });
    expect(await statusOf(name)).toMatchObject({
      ...{ status: 'reauthorization_required', reason: 'invalid_grant', refreshable: false },
    });
    expect(await rowOf(id)).toMatchObject({ due_at: null, leased_until: null });
  });

  it('are good again when somebody authorises anew', async () => {
    const { name, id } = await authorise();
    await change(id, `status = 'reauthorization_required', is_renewable = false, due_at = NULL`);
    const browser = new TestBrowser();
    const started = await initiate({ catalog, browser }, { connection_name: name });
    const parameters = await browser.agree(String(started.body['authorization_url']));
    await browser.comeBack(catalog, parameters);

    expect(await statusOf(name)).toMatchObject({ status: 'active', reason: null });
    await expect(tokenOf(catalog, id)).resolves.toEqual(expect.any(String));
    await revoke(name);
    const told = (): string[] =>
      heard.filter(({ target }) => target.id === name).map(({ action }) => action);
    await until(() => told().at(-1) === 'connection.authorization_revoked');
    expect(told().filter((action) => action === 'connection.authorized')).toHaveLength(2);
  });

  it('expire where there is nothing to renew them with, and say why', async () => {
    const { name, id } = await clientCredentials(running.use(await startTokenEndpoint()).url);
    await change(id, `is_renewable = false, ${EXPIRED}`);

    await until(async () => (await rowOf(id))['status'] === 'expired');

    expect(await statusOf(name)).toMatchObject({ status: 'expired', reason: 'no_refresh_token' });
    expect(await rowOf(id)).toMatchObject({ due_at: null });
  });

  it('are asked for less and less often while a provider fails, all of a tenant together', async () => {
    const endpoint = running.use(await startTokenEndpoint());
    const first = await clientCredentials(endpoint.url);
    const second = await clientCredentials(endpoint.url);
    endpoint.answer = { status: 503, headers: { 'retry-after': '120' } };
    const asked = endpoint.asked;
    await change(first.id, EXPIRED);

    await expect(tokenOf(catalog, first.id)).rejects.toMatchObject({
      code: 'connection_token_unavailable',
      headers: { 'retry-after': expect.stringMatching(/^1[12]\d$/) },
    });
    await change(second.id, EXPIRED);
    await expect(tokenOf(catalog, second.id)).rejects.toMatchObject({
      code: 'connection_token_unavailable',
      headers: { 'retry-after': expect.stringMatching(/^1[12]\d$/) },
    });
    // No sweep takes them.
    for (const { service } of pods) {
      const due = await service.get(ClaimGrants, { strict: false }).due(100);
      const ids = due.map(({ held }) => held.row.connection_id);
      expect(ids.filter((id) => [first.id, second.id].includes(id))).toEqual([]);
    }

    expect(endpoint.asked - asked).toBe(1);
    expect(await statusOf(first.name)).toMatchObject({
      ...{ status: 'expired', reason: 'provider_unavailable', refreshable: true },
    });
    expect(await rowOf(second.id)).toMatchObject({ failures: 0, status: 'active' });
    // It comes back.
    endpoint.answer = undefined;
    await servers.database.execute('UPDATE catalog.oauth_pauses SET until = now()');
    await change(first.id, DUE);
    await until(async () => (await statusOf(first.name))['status'] === 'active');
  });

  it('keep what a process stores late: it may have the only good one', async () => {
    const { id } = await authorise();
    const store = async (held: HeldGrant, renewal: Renewal): Promise<boolean> => {
      const moment = { now: new Date(), thresholdSeconds: 300, random: 0 };
      const next = afterRenewal(held.state, renewal, moment);
      const tokenVersion = renewal.kind === 'tokens' ? 1 : undefined;
      const change = { held, next, tokenVersion, scope: undefined };
      return (await run((manager) => grants.store(manager, [change]))).has(id);
    };
    const refused: Renewal = { kind: 'refused', error: 'invalid_grant' };
    const tokens: Renewal = { kind: 'tokens', expiresInSeconds: 3600, isRenewable: true };

    const { held: frozen } = await claim(id);
    await expect(claim(id)).rejects.toThrow('held');
    await change(id, 'leased_until = now()');
    const { held: another } = await claim(id);

    // The frozen one no longer holds it, so its refusal does not count, and its tokens do.
    expect(await store(frozen, refused)).toBe(false);
    expect(await store(another, refused)).toBe(true);
    expect(await rowOf(id)).toMatchObject({ reason: 'refresh_answer_lost' });
    expect(await store(frozen, tokens)).toBe(true);
    expect(await rowOf(id)).toMatchObject({ status: 'active', generation: 2, reason: null });
    expect(await store(another, tokens)).toBe(false);
  });

  it('are not asked for by whoever would lose the lease before the answer comes', async () => {
    const endpoint = running.use(await startTokenEndpoint());
    const { id } = await clientCredentials(endpoint.url);
    const asked = endpoint.asked;
    const { held, connection } = await claim(id);

    // As if the secret backend had taken its time.
    await renew({ held: { ...held, claimedAt: held.claimedAt - 10_000 }, connection });

    expect(endpoint.asked).toBe(asked);
    // Whoever takes over when the lease ends finds it as it was.
    const { leased_until, ...row } = await rowOf(id);
    expect(leased_until).toEqual(held.row.leased_until);
    expect(row).toMatchObject({ failures: 0, generation: 1, status: 'active' });
  });

  it.each([
    ['INSERT', 'catalog.secrets'],
    ['UPDATE', 'catalog.oauth_grants'],
  ])('are kept as soon as they can be, under the same lease: no %s of %s', async (verb, table) => {
    const { id } = await authorise();
    const old = await tokenOf(catalog, id);
    const asked = provider.count(REFRESH);
    const claimed = await claim(id);
    const kept = await keptOf(id);
    await servers.database.execute(`REVOKE ${verb} ON ${table} FROM connection_catalog`);

    const renewed = renew(claimed);
    try {
      await until(async () => {
        const { leased_until } = await rowOf(id);
        return Number(leased_until) > Number(claimed.held.row.leased_until);
      });
      // A token and the row that counts it: neither is without the other.
      expect(await keptOf(id)).toEqual(kept);
    } finally {
      await servers.database.execute(`GRANT ${verb} ON ${table} TO connection_catalog`);
    }
    await renewed;

    const token = await tokenOf(catalog, id);
    expect(token).not.toBe(old);
    expect(await provider.knows(token)).toBe(true);
    expect(provider.count(REFRESH) - asked).toBe(1);
  });

  it('are not brought back by a renewal that was under way when they were revoked', async () => {
    const { name, id } = await clientCredentials(running.use(await startTokenEndpoint()).url);
    const claimed = await claim(id);
    const revoked = await revoke(name);

    await renew(claimed);
    const again = await revoke(name);

    // There is nowhere to tell it.
    expect(revoked.body).toMatchObject({ status: 'revoked', revoked_at_provider: false });
    expect(again.body).toMatchObject({ status: 'revoked', revoked_at_provider: false });
    expect(await statusOf(name)).toMatchObject({ status: 'revoked' });
    expect(await keptOf(id)).toEqual([]);
  });

  it('are revoked at the provider too when they come after their grant was revoked', async () => {
    const endpoint = running.use(await startTokenEndpoint());
    const { url } = endpoint;
    const { name, id } = await clientCredentials(url, { revocation_url: `${url}/revoke` });
    const claimed = await claim(id);
    const revoked = await revoke(name);

    await renew(claimed);

    expect(revoked.body).toMatchObject({ revoked_at_provider: true });
    expect(endpoint.given.length).toBe(2);
    expect(endpoint.revoked).toEqual(endpoint.given);
    expect(await keptOf(id)).toEqual([]);
  });

  it('stay when a grant before theirs is forgotten, which its provider takes its time for', async () => {
    const endpoint = running.use(await startTokenEndpoint());
    const { url } = endpoint;
    const { name, id } = await clientCredentials(url, { revocation_url: `${url}/revoke` });
    const answers = Promise.withResolvers<undefined>();
    endpoint.mayRevoke = answers.promise;

    const revoked = revoke(name);
    await until(() => endpoint.revoked.length > 0);
    const granted = await grantAnew(name);
    answers.resolve(undefined);

    expect((await revoked).body).toMatchObject({ revoked_at_provider: true });
    expect(granted.status).toBe(200);
    expect(await tokenOf(catalog, id)).toBe(endpoint.given.at(-1));
  });

  it('are not kept where nothing knows of them', async () => {
    const { name, id } = await clientCredentials(running.use(await startTokenEndpoint()).url);
    await revoke(name);
    await servers.database.execute('REVOKE INSERT ON catalog.oauth_grants FROM connection_catalog');

    const granted = await grantAnew(name);
    await servers.database.execute('GRANT INSERT ON catalog.oauth_grants TO connection_catalog');

    expect(granted.status).toBeGreaterThanOrEqual(500);
    expect(await keptOf(id)).toEqual([]);
  });

  describe('of a connection that comes to be for something else', () => {
    const NEW_SECRET = 'the-secret-of-the-other-provider';

    async function authorised(): Promise<{
      name: string;
      id: string;
      endpoint: TokenEndpoint;
      move: () => Promise<TestAnswer>;
    }> {
      const endpoint = running.use(await startTokenEndpoint());
      const { url } = endpoint;
      const own = { client_authentication: 'client_secret_post' };
      const made = await clientCredentials(url, { ...own, revocation_url: `${url}/revoke` });
      const fields = { token_url: 'https://other.example/token', client_secret: NEW_SECRET };
      const move = (): Promise<TestAnswer> =>
        catalog.send('PATCH', `/api/v1/connections/${made.name}`, { body: { fields } });
      return { ...made, endpoint, move };
    }

    it('are over, revoked where they are from, and forgotten', async () => {
      const { name, id, endpoint, move } = await authorised();

      expect((await move()).status).toBe(200);

      await expect(tokenOf(catalog, id)).rejects.toMatchObject({
        code: 'connection_reauthorization_required',
      });
      expect(await statusOf(name)).toMatchObject({
        ...{ status: 'reauthorization_required', reason: 'connection_changed' },
        refreshable: false,
      });
      expect(endpoint.revoked).toEqual(endpoint.given);
      expect(endpoint.sent.at(-1)).toContain(provider.clientSecret);
      expect(await keptOf(id)).toEqual([]);
      const told = await until(() =>
        heard.find(
          ({ action, target }) =>
            target.id === name && action === 'connection.reauthorization_required',
        ),
      );
      expect(told.details).toEqual({ reason: 'connection_changed' });
    });

    it('stay where the change is refused', async () => {
      const { name, id, endpoint } = await authorised();
      const body = { fields: { token_url: 'https://other.example/token' } };
      const refused = await catalog.send('PATCH', `/api/v1/connections/${name}`, { body });

      expect(refused).toMatchObject({ status: 422, body: { code: 'credentials_needed_again' } });
      expect(await tokenOf(catalog, id)).toBe(endpoint.given[0]);
    });

    it('are not asked for at the provider of before with the secret of the other', async () => {
      const { id, endpoint, move } = await authorised();
      const { held } = await claim(id);
      await move();
      const connections = catalog.service.get(OAuthConnections, { strict: false });
      const connection = await run(async (manager) =>
        (await connections.read(manager, [id])).get(id),
      );

      // As a sweep that claimed it just before, and read the connection just after.
      if (connection) await renew({ held, connection });

      expect(connection).toBeDefined();
      expect(endpoint.asked).toBe(1);
      expect(endpoint.sent.join()).not.toContain(NEW_SECRET);
    });

    it('are not given by a flow that began before', async () => {
      const connection = connectionTo(provider);
      await addConnection({ servers, catalog }, connection);
      const browser = new TestBrowser();
      const { name } = connection;
      const started = await initiate({ catalog, browser }, { connection_name: name });
      const parameters = await browser.agree(String(started.body['authorization_url']));
      const asked = provider.count('authorization_code');
      const fields = { base_url: 'https://other.example', client_secret: NEW_SECRET };
      await catalog.send('PATCH', `/api/v1/connections/${name}`, { body: { fields } });

      await browser.comeBack(catalog, parameters);

      expect(provider.count('authorization_code')).toBe(asked);
      expect(await statusOf(name)).toMatchObject({
        ...{ status: 'not_authorized', pending: { error: 'connection_changed' } },
      });
    });

    it('are not stored when the change came while the provider was asked', async () => {
      const endpoint = running.use(await startTokenEndpoint());
      const { name, id } = await clientCredentials(endpoint.url);
      await revoke(name);
      const connections = catalog.service.get(OAuthConnections, { strict: false });
      const before = await run(async (manager) => (await connections.read(manager, [id])).get(id));
      const grant = await run((manager) => grants.find(manager, id));
      const fields = { base_url: 'https://other.example', client_secret: NEW_SECRET };
      await catalog.send('PATCH', `/api/v1/connections/${name}`, { body: { fields } });
      if (before === undefined || grant === undefined) throw new Error('They are gone.');

      const stored = catalog.service.get(StoreGrant, { strict: false }).execute({
        ...{ connection: before, client: grant.client, clientSecretVersion: null },
        ...{ grantType: 'client_credentials', authorizedBy: 'ann' },
        tokens: { accessToken: 'late', refreshToken: undefined, expiresInSeconds: 60, scope: '' },
      });

      await expect(stored).rejects.toMatchObject({ code: 'connection_changed' });
      expect(await keptOf(id)).toEqual([]);
    });
  });

  it('go with their connection', async () => {
    const { name, id } = await authorise();

    const deleted = await catalog.send('DELETE', `/api/v1/connections/${name}`);

    expect(deleted.status).toBe(204);
    expect(await rowOf(id)).toEqual({});
    const kept = await servers.database.execute(
      'SELECT FROM catalog.secrets WHERE connection_id = $1',
      [id],
    );
    expect(kept).toEqual([]);
  });

  it('are nowhere in the clear in the database (P8)', async () => {
    const { id } = await authorise();
    const token = await tokenOf(catalog, id);

    const tables = await servers.database.execute(
      `SELECT query_to_xml('TABLE ' || schemaname || '.' || tablename, true, false, '')::text AS rows
         FROM pg_tables WHERE schemaname = 'catalog'`,
    );

    expect(tables.length).toBeGreaterThan(5);
    expect(tables.some(({ rows }) => String(rows).includes(token))).toBe(false);
  });
});
