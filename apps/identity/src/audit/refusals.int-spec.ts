import { hash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { until } from '@soma/testing';
import { IdentityDeployment, ISSUER, type Pod, ROBOT_SECRET } from '../people/spec-support.ts';
import { newSomebody, ProviderServers } from '../sign-in/providers/spec-support.ts';
import { TestBrowser, UiClient } from '../sign-in/spec-support.ts';

interface Line {
  actor_subject: string;
  target_id: string;
  details: Record<string, unknown>;
}

describe('the audit log of a service that runs', () => {
  const running = new AsyncDisposableStack();
  let deployment: IdentityDeployment;
  let providers: ProviderServers;
  let pod: Pod;
  let client: UiClient;
  let bundle: string;

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'soma-policies-'));
    running.defer(() => rm(folder, { recursive: true }));
    bundle = join(folder, 'bundle.tar.gz');
    await writeFile(bundle, 'first');
    deployment = running.use(await IdentityDeployment.start());
    providers = running.use(await new ProviderServers(ISSUER).start());
    const settings = {
      ...{ IDENTITY_OPERATOR_TENANT: 'ops', POLICY_BUNDLE_FILE: bundle },
      RATE_LIMIT_API_PER_MINUTE: '100000',
    };
    const all = { ...providers.settings, ...settings };
    pod = await deployment.startPod(all, providers.endpoints, true);
    client = new UiClient(pod.url);
  });
  beforeEach(() => {
    providers.somebody = newSomebody();
  });
  afterAll(() => running.disposeAsync());

  /** What the log of a tenant says of an action, once it says so much. */
  function lines(tenant: string, action: string, least = 1): Promise<Line[]> {
    return until(async () => {
      const rows = await deployment.database.execute(
        `SELECT actor_subject, target_id, outcome, details FROM audit.audit_log
          WHERE tenant_id = $1 AND action = $2 ORDER BY seq`,
        [tenant, action],
      );
      // The columns are those of a line.
      return rows.length >= least ? (rows as unknown as Line[]) : undefined;
    });
  }

  async function askForToken(form: Record<string, string>): Promise<Record<string, unknown>> {
    const body = new URLSearchParams(form);
    // Some libraries take anything, and are no browsers for that.
    const headers = { accept: 'text/html, */*' };
    const answer = await fetch(new URL('/oauth/token', pod.url), { method: 'POST', body, headers });
    return (await answer.json()) as Record<string, unknown>;
  }

  const robot = { grant_type: 'client_credentials', client_id: 'robot' };

  it('tells of tokens of programs, partners and people, and of who is refused one', async () => {
    const { access_token } = await askForToken({ ...robot, client_secret: ROBOT_SECRET });
    const { body: key } = await pod.post(String(access_token), '/v1/api-keys', {
      ...{ name: 'Bot', scopes: ['sessions:read'] },
    });
    const [client_id, client_secret] = [String(key['key_id']), String(key['key'])];
    await askForToken({ grant_type: 'client_credentials', client_id, client_secret });
    await askForToken({ ...robot, client_secret: 'wrong' });
    const misplaced = { grant_type: client_secret, client_id: client_secret };
    await askForToken({ ...misplaced, client_secret: 'wrong' });

    const issued = await lines('acme', 'token.issued', 2);
    expect(issued).toMatchObject([
      { actor_subject: 'robot', target_id: 'robot', details: { grant_type: 'client_credentials' } },
      { actor_subject: key['service_account_id'], target_id: client_id },
    ]);
    expect(await lines('acme', 'token.refused')).toMatchObject([
      { actor_subject: 'robot', outcome: 'denied', details: { error: 'invalid_client' } },
    ]);
    expect(await lines('ops', 'token.refused')).toMatchObject([
      {
        actor_subject: 'anonymous',
        target_id: 'anonymous',
        details: {
          error: 'invalid_client',
          grant_type: 'unknown',
          client_id_hash: hash('sha256', client_secret).slice(0, 8),
        },
      },
    ]);
    const log = await deployment.database.execute('SELECT * FROM audit.audit_log');
    expect(JSON.stringify(log)).not.toContain(client_secret);
  });

  it('tells the operator of sign-ins of people without a tenant, and of those that fail', async () => {
    const { somebody } = providers;
    await client.signIn('github');
    providers.somebody = newSomebody({ email_verified: false });
    await client.signIn('google');
    await new TestBrowser(pod.url).visit('/api/auth/oauth/apple/callback?state=x&code=y');

    const [user] = await deployment.database.execute(
      `SELECT user_id FROM identity.users WHERE email = $1`,
      [somebody.email],
    );
    const user_id = String(user?.['user_id']);
    expect(await lines('ops', 'account.linked')).toMatchObject([{ actor_subject: user_id }]);
    expect(await lines('ops', 'sign_in.completed')).toMatchObject([{ actor_subject: user_id }]);
    expect(await lines('ops', 'sign_in.refused', 2)).toMatchObject([
      { actor_subject: 'anonymous', target_id: 'google', details: { reason: 'email_unverified' } },
      { actor_subject: 'anonymous', target_id: 'apple', details: { reason: 'state_refused' } },
    ]);
    const metrics = await (await fetch(new URL('/metrics', pod.url))).text();
    for (const line of [
      'soma_sign_in_attempts_total{provider="github",outcome="signed_in"} 1',
      'soma_sign_in_attempts_total{provider="google",outcome="email_unverified"} 1',
      'soma_sign_in_attempts_total{provider="apple",outcome="state_refused"} 1',
      'soma_sign_in_state_faults_total{provider="apple",fault="missing"} 1',
    ]) {
      expect(metrics).toContain(line);
    }
  });

  it('tells of each time that a person’s sign-in is prolonged', async () => {
    const ann = await deployment.addPerson();
    providers.somebody = newSomebody({ email: ann.email });
    const { browser, stop } = await client.signIn('google');
    await client.tokenFor(stop, browser);

    const refreshed = await browser.visit('/api/auth/refresh', { method: 'POST' });

    expect(refreshed.status).toBe(200);
    const issued = await until(async () => {
      const own = (await lines('acme', 'token.issued')).filter(
        ({ actor_subject }) => actor_subject === ann.user_id,
      );
      return own.length === 2 ? own : undefined;
    });
    expect(issued.map(({ details }) => details['grant_type'])).toEqual([
      'authorization_code',
      'refresh_token',
    ]);
  });

  it('tells of other policies, once', async () => {
    const [first] = await lines('ops', 'policy.changed');
    expect(first).toMatchObject({ actor_subject: 'identity', details: { before: null } });

    await writeFile(bundle, 'second');
    await deployment.startPod({ IDENTITY_OPERATOR_TENANT: 'ops', POLICY_BUNDLE_FILE: bundle });
    await deployment.startPod({ IDENTITY_OPERATOR_TENANT: 'ops', POLICY_BUNDLE_FILE: bundle });

    const changes = await lines('ops', 'policy.changed', 2);
    expect(changes.slice(1)).toMatchObject([{ details: { before: first?.target_id } }]);
  });

  it('tells the operator of keys that sign', async () => {
    expect(await lines('ops', 'signing_key.created')).toHaveLength(1);
  });
});
