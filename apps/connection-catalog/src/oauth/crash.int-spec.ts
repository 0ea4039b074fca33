import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';
import { type AuditEvent } from '@soma/contracts';
import { Problem, Secret } from '@soma/kernel';
import { openDataSource, TenantTransaction } from '@soma/persistence';
import { freePort, until } from '@soma/testing';
import type { QueryRunner } from 'typeorm';
import {
  type CatalogServers,
  createCatalogServers,
  startCatalog,
  type TestCatalog,
  listenToAudit,
} from '../spec-support.ts';
import { AccessTokens } from './grants/access-tokens.ts';
import { AskForTokens } from './grants/ask-for-tokens.ts';
import { ClaimGrants } from './grants/claim-grants.ts';
import { GrantsRepository } from './grants/grants.repository.ts';
import { ProviderPauses } from './grants/provider-pauses.ts';
import { RenewGrant } from './grants/renew-grant.ts';
import { TokenSecrets } from './grants/token-secrets.ts';
import { addConnection, connectionTo, initiate, OAUTH_SETTINGS, tokenOf } from './spec-support.ts';
import { TestBrowser } from './browser/spec-support.ts';
import { TestProvider } from './provider/spec-support.ts';

const PODS = 50;
const REFRESH = 'refresh_token';

/** A connection that is authorised, at a provider of its own. */
interface Authorised {
  provider: TestProvider;
  name: string;
  id: string;
  /** The token before all of it. */
  token: string;
}

/*
 * Pods die after three providers have answered and before all is stored of what they said. Of two of
 * them nothing was stored; of the third the token was, and not the row that says it counts.
 * Then fifty pods want all three tokens at once.
 */
describe('a pod that is killed between the answer of a provider and its storing (P3)', () => {
  const running = new AsyncDisposableStack();
  let told: AuditEvent[];
  let servers: CatalogServers;
  let graceful: Authorised;
  let strict: Authorised;
  let durable: Authorised;
  let answers: Record<'graceful' | 'strict' | 'durable', string[]>;

  beforeAll(async () => {
    servers = await createCatalogServers(running);
    told = await listenToAudit(servers, running);
    [graceful, strict, durable] = await authoriseAll();
    await keepTokensAlone();
    await killPodBeforeItStores();
    await makeDue([durable]);
    // As if the time of all leases had passed.
    await servers.database.execute('UPDATE catalog.oauth_grants SET leased_until = now()');
    answers = await askFromFiftyPods();
  });
  afterAll(() => running.disposeAsync());

  async function authoriseAll(): Promise<[Authorised, Authorised, Authorised]> {
    await using catalog = await startCatalog(servers, OAUTH_SETTINGS);
    return [
      await authorise(catalog, await TestProvider.start({ graceMs: 600_000 })),
      await authorise(catalog, await TestProvider.start()),
      await authorise(catalog, await TestProvider.start()),
    ];
  }

  async function authorise(catalog: TestCatalog, provider: TestProvider): Promise<Authorised> {
    running.use(provider);
    const connection = connectionTo(provider);
    const id = await addConnection({ servers, catalog }, connection);
    const browser = new TestBrowser();
    const body = { connection_name: connection.name };
    const started = await initiate({ catalog, browser }, body);
    const parameters = await browser.agree(String(started.body['authorization_url']));
    await browser.comeBack(catalog, parameters);
    return { provider, name: connection.name, id, token: await tokenOf(catalog, id) };
  }

  async function killPodBeforeItStores(): Promise<void> {
    const locks = await openDataSource({ url: new Secret(servers.database.ownerUrl) });
    const runner = locks.createQueryRunner();
    try {
      await holdUp(runner);
      const pod = await startPod();
      await makeDue([graceful, strict]);
      await until(() => isHeldUp([graceful, strict]));
      pod.kill('SIGKILL');
      await once(pod, 'exit');
    } finally {
      await runner.rollbackTransaction();
      await locks.destroy();
    }
  }

  /** What a pod leaves that is killed when a secret backend elsewhere has a token and its row does not. */
  async function keepTokensAlone(): Promise<void> {
    await using catalog = await startCatalog(servers, OAUTH_SETTINGS);
    const of = <Class>(type: Type<Class>): Class => catalog.service.get(type, { strict: false });
    const claimed = await of(TenantTransaction).run('acme', async (manager) => {
      const row = await of(GrantsRepository).find(manager, durable.id);
      return row && of(ClaimGrants).one(manager, row);
    });
    if (claimed === undefined) throw new Error('It cannot be taken.');
    const asked = await of(AskForTokens).execute(claimed.held, claimed.connection);
    if (asked?.unwritten === undefined) throw new Error('No token was given.');
    await of(TokenSecrets).write(claimed.held.row, asked.unwritten);
  }

  async function makeDue(some: Authorised[]): Promise<void> {
    await servers.database.execute(
      'UPDATE catalog.oauth_grants SET due_at = now(), expires_at = now() WHERE connection_id = ANY ($1)',
      [some.map(({ id }) => id)],
    );
  }

  /** Keeps whoever renews from storing. */
  async function holdUp(runner: QueryRunner): Promise<void> {
    await runner.startTransaction();
    await runner.query(
      `SELECT FROM catalog.secret_versions
        WHERE field = 'oauth_tokens' AND connection_id = ANY ($1) FOR UPDATE`,
      [[graceful.id, strict.id]],
    );
  }

  async function startPod(): Promise<ChildProcess> {
    // Compiled, as it is deployed.
    const program = join(import.meta.dirname, '../../dist/main.js');
    const pod = spawn(process.execPath, [program], {
      stdio: 'inherit',
      env: {
        ...process.env,
        ...servers.settings,
        ...OAUTH_SETTINGS,
        PORT: String(await freePort()),
      },
    });
    running.defer(() => {
      pod.kill('SIGKILL');
    });
    return pod;
  }

  /** Whether they are answered, and what stores them waits. */
  async function isHeldUp(some: Authorised[]): Promise<boolean> {
    const [row] = await servers.database.execute(
      `SELECT count(*)::int AS waiting FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'
          AND query ~ 'secret_versions'`,
    );
    const isAnswered = some.every(({ provider }) => provider.count(REFRESH) === 1);
    return isAnswered && Number(row?.['waiting']) > 0;
  }

  async function askFromFiftyPods(): Promise<typeof answers> {
    const services = await Promise.all(
      Array.from({ length: 2 }, () => startCatalog(servers, OAUTH_SETTINGS)),
    );
    for (const service of services) running.use(service);
    const pods = Array.from({ length: PODS }, (_each, index) => podOf(services[index % 2]));
    const ask = ({ id }: Authorised): Promise<string[]> =>
      Promise.all(pods.map((pod) => answerOf(pod, id)));
    const [first, second, third] = await Promise.all([ask(graceful), ask(strict), ask(durable)]);
    return { graceful: first, strict: second, durable: third };
  }

  /** What of a pod matters here: it knows of no other one but by the database. */
  function podOf(catalog: TestCatalog | undefined): AccessTokens {
    if (catalog === undefined) throw new Error('There is no such service.');
    const { service } = catalog;
    return new AccessTokens(
      service.get(TenantTransaction, { strict: false }),
      service.get(GrantsRepository, { strict: false }),
      service.get(ProviderPauses, { strict: false }),
      service.get(ClaimGrants, { strict: false }),
      service.get(RenewGrant, { strict: false }),
      service.get(TokenSecrets, { strict: false }),
    );
  }

  async function answerOf(pod: AccessTokens, connection_id: string): Promise<string> {
    try {
      const { token } = await pod.find({ tenant_id: 'acme', connection_id });
      return token.reveal();
    } catch (error) {
      return error instanceof Problem ? error.code : String(error);
    }
  }

  it('still works where the provider has a grace period, and asks once more in all', async () => {
    const [token = ''] = answers.graceful;

    expect(answers.graceful).toEqual(Array(PODS).fill(token));
    expect(token).not.toBe(graceful.token);
    expect(await graceful.provider.knows(token)).toBe(true);
    expect(graceful.provider.count(REFRESH)).toBe(2);
  });

  it('demands a new authorisation at once where it has none, with an event, and never loops', async () => {
    const required = Array<string>(PODS).fill('connection_reauthorization_required');
    expect(answers.strict).toEqual(required);

    const isOver = (event: AuditEvent): boolean => event.target.id === strict.name;
    const event = await until(() =>
      told.filter(isOver).find(({ outcome }) => outcome === 'failure'),
    );
    expect(event).toMatchObject({
      action: 'connection.reauthorization_required',
      details: { reason: 'refresh_answer_lost' },
    });
    const [row] = await servers.database.execute(
      'SELECT status, due_at, sent_at, leased_until FROM catalog.oauth_grants WHERE connection_id = $1',
      [strict.id],
    );
    // Nothing is due any more, so no sweep takes it again.
    expect(row).toEqual({
      ...{ status: 'reauthorization_required', due_at: null },
      ...{ sent_at: null, leased_until: null },
    });
    expect(strict.provider.count(REFRESH)).toBe(2);
  });

  it('goes on with a token that was stored already, and asks nobody', async () => {
    const [token = ''] = answers.durable;

    expect(answers.durable).toEqual(Array(PODS).fill(token));
    expect(token).not.toBe(durable.token);
    expect(await durable.provider.knows(token)).toBe(true);
    expect(durable.provider.count(REFRESH)).toBe(1);
  });
});
