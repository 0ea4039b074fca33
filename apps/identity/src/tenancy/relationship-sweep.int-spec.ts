import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { personName, tenantName } from '@soma/auth';
import { createdTenant, type MemberRole } from '@soma/contracts';
import { renderMetrics } from '@soma/observability';
import {
  type AccessServers,
  installedTool,
  startAccessServers,
  startTcpProxy,
  type TcpProxy,
  until,
} from '@soma/testing';
import {
  createIdentityServers,
  startIdentity,
  type TestCaller,
  type TestIdentity,
} from '../spec-support.ts';
import { Users } from './users.ts';

const describeEngines = installedTool('opa') && installedTool('openfga') ? describe : describe.skip;

describeEngines('relationships of members', () => {
  const running = new AsyncDisposableStack();
  let access: AccessServers;
  let toOpenFga: TcpProxy;
  let pod: TestIdentity;
  let owner: TestCaller & { subject: string };

  beforeAll(async () => {
    access = await startAccessServers(running);
    toOpenFga = running.use(await startTcpProxy(access.openFga.port));
    const servers = await createIdentityServers(running);
    const OPENFGA_API_URL = `http://127.0.0.1:${toOpenFga.port}`;
    const settings = { ...servers.settings, ...access.settings, OPENFGA_API_URL };
    pod = await startIdentity({ ...servers, settings }, running);
    await startIdentity({ ...servers, settings }, running);
    owner = await newTenant();
  });
  afterAll(() => running.disposeAsync());

  async function newUser(name: string): Promise<{ user_id: string; email: string }> {
    const email = `${name}@example.com`;
    return pod.service.get(Users, { strict: false }).create({ email, display_name: name });
  }

  async function newTenant(): Promise<typeof owner> {
    const { user_id, email } = await newUser('owner');
    const created = await pod.send('POST', '/v1/tenants', {
      as: { tenant: 'soma', scopes: ['tenants:write'] },
      body: { tenant_id: 'acme', name: 'Acme', owner_email: email },
    });
    await accept(user_id, createdTenant.parse(created.body).invitation.token);
    return { tenant: 'acme', subject: user_id, role: 'owner' };
  }

  async function accept(subject: string, token: string): Promise<void> {
    const as = { tenant: 'elsewhere', subject, role: 'viewer' } as const;
    const answer = await pod.send('POST', '/v1/members/invitations/accept', {
      as,
      body: { token },
    });
    expect([answer.status, answer.body]).toEqual([200, expect.anything()]);
  }

  async function join(name: string, role: MemberRole): Promise<string> {
    const { user_id, email } = await newUser(name);
    const invited = await pod.send('POST', '/v1/members/invitations', {
      as: owner,
      body: { email, role },
    });
    expect([invited.status, invited.body]).toEqual([201, expect.anything()]);
    await accept(user_id, String(invited.body['token']));
    return user_id;
  }

  function isRelated(userId: string, relation: string): Promise<boolean> {
    const object = tenantName('acme');
    return access.isRelated({ user: personName(userId), relation, object });
  }

  function becomes(userId: string, relation: string, holds = true): Promise<true> {
    return until(async () => (await isRelated(userId, relation)) === holds);
  }

  it('follow what people are in the tables', async () => {
    await becomes(owner.subject, 'owner');
    const ann = await join('ann', 'viewer');
    await becomes(ann, 'viewer');

    await pod.send('PATCH', `/v1/members/${ann}`, { as: owner, body: { role: 'admin' } });
    await becomes(ann, 'admin');
    expect(await isRelated(ann, 'viewer')).toBe(false);

    await pod.send('DELETE', `/v1/members/${ann}`, { as: owner });
    await becomes(ann, 'admin', false);
  });

  it('wait, in their order, while OpenFGA is away', async () => {
    const eve = await join('eve', 'viewer');
    await becomes(eve, 'viewer');
    const bob = await newUser('bob');
    const invited = await pod.send('POST', '/v1/members/invitations', {
      as: owner,
      body: { email: bob.email, role: 'member' },
    });
    toOpenFga.cut();
    // Accepting needs no relationship, so it goes on.
    await accept(bob.user_id, String(invited.body['token']));
    expect(await isRelated(bob.user_id, 'member')).toBe(false);
    const waits = /age_seconds\{outbox="relationships"\} (?!0$)/m;
    await until(async () => waits.test(await renderMetrics()));

    toOpenFga.restore();

    await becomes(bob.user_id, 'member');
  });
});
