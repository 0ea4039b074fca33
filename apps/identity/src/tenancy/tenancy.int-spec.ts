import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type ConfigUpdate,
  createdInvitation,
  type CreatedInvitation,
  createdTenant,
  type Member,
  member,
  type MemberRole,
  memberRole,
  serviceAccount,
} from '@soma/contracts';
import { until } from '@soma/testing';
import {
  createIdentityServers,
  type IdentityServers,
  startIdentity,
  type TestAnswer,
  type TestCaller,
  type TestIdentity,
  listenToUpdates,
} from '../spec-support.ts';
import { Users } from './users.ts';

const MEMBERS = '/v1/members';
const INVITATIONS = '/v1/members/invitations';
const ACCOUNTS = '/v1/members/service-accounts';
const OPERATOR: TestCaller = { tenant: 'soma', subject: 'operator', scopes: ['tenants:write'] };

/** Somebody who is a member of a tenant. */
type Person = TestCaller & { subject: string; role: MemberRole };

describe('tenancy', () => {
  const running = new AsyncDisposableStack();
  let heard: ConfigUpdate[];
  let servers: IdentityServers;
  let pods: [TestIdentity, TestIdentity];
  let pod: TestIdentity;
  let people = 0;

  beforeAll(async () => {
    servers = await createIdentityServers(running);
    pods = [await startIdentity(servers, running), await startIdentity(servers, running)];
    [pod] = pods;
    heard = await listenToUpdates(servers, running);
  });
  afterAll(() => running.disposeAsync());

  /** A person who has just signed in for the first time, and a member of nothing. */
  async function newUser(): Promise<{ user_id: string; email: string }> {
    people += 1;
    const email = `person-${people}@example.com`;
    return pod.service
      .get(Users, { strict: false })
      .create({ email, display_name: `Person ${people}` });
  }

  async function accept(userId: string, token: string): Promise<TestAnswer> {
    // Whichever tenant the person is signed in to: the invitation says what it is for.
    const as = { tenant: 'elsewhere', subject: userId, role: 'viewer' } as const;
    return pod.send('POST', `${INVITATIONS}/accept`, { as, body: { token } });
  }

  /** A tenant with its first owner, who was invited by the operator. */
  async function newTenant(tenant: string): Promise<Person> {
    const { user_id, email } = await newUser();
    const body = { tenant_id: tenant, name: tenant, owner_email: email };
    const created = await pod.send('POST', '/v1/tenants', { as: OPERATOR, body });
    const { invitation } = createdTenant.parse(created.body);
    expect(await accept(user_id, invitation.token)).toMatchObject({
      status: 200,
      body: { tenant_id: tenant, role: 'owner' },
    });
    return { tenant, subject: user_id, role: 'owner' };
  }

  async function join(inviter: Person, role: MemberRole): Promise<Person> {
    const { user_id, email } = await newUser();
    const invited = await pod.send('POST', INVITATIONS, { as: inviter, body: { email, role } });
    expect([invited.status, invited.body]).toEqual([201, expect.anything()]);
    await accept(user_id, createdInvitation.parse(invited.body).token);
    return { tenant: inviter.tenant, subject: user_id, role };
  }

  function setRole(as: Person, whom: Person, role: MemberRole): Promise<TestAnswer> {
    return pod.send('PATCH', `${MEMBERS}/${whom.subject}`, { as, body: { role } });
  }

  async function rolesIn(tenant: string): Promise<Record<string, string>> {
    const rows = await servers.database.execute(
      `SELECT user_id, role FROM identity.members WHERE tenant_id = $1`,
      [tenant],
    );
    const roles = rows.map(({ user_id, role }) => [String(user_id), String(role)] as const);
    return Object.fromEntries(roles);
  }

  /** What the audit log tells of something, in the order of what happened. */
  async function auditOf(id: string): Promise<unknown[]> {
    const lines = await servers.database.execute(
      'SELECT action FROM audit.audit_log WHERE target_id = $1 ORDER BY seq',
      [id],
    );
    return lines.map(({ action }) => action);
  }

  describe('tenants', () => {
    it('are created by the operator alone, who invites the first owner', async () => {
      const owner = await newTenant('first');
      const body = { tenant_id: 'other', name: 'Other', owner_email: 'x@example.com' };
      const byOwner = await pod.send('POST', '/v1/tenants', { as: owner, body });
      const byPerson = await pod.send('POST', '/v1/tenants', {
        as: { ...OPERATOR, role: 'owner' },
        body,
      });

      expect(await rolesIn('first')).toEqual({ [owner.subject]: 'owner' });
      expect([byOwner, byPerson]).toMatchObject([
        { status: 403, body: { code: 'operator_required' } },
        { status: 403, body: { code: 'operator_required' } },
      ]);
    });

    it('are invited to again until somebody has joined, and never taken over', async () => {
      const { user_id, email } = await newUser();
      const body = { tenant_id: 'slow', name: 'Slow', owner_email: email };
      const send = (): Promise<TestAnswer> =>
        pod.send('POST', '/v1/tenants', { as: OPERATOR, body });
      const lost = createdTenant.parse((await send()).body);
      const found = createdTenant.parse((await send()).body);

      expect((await accept(user_id, lost.invitation.token)).status).toBe(404);
      expect((await accept(user_id, found.invitation.token)).status).toBe(200);
      expect(await send()).toMatchObject({ status: 409, body: { code: 'tenant_exists' } });
    });

    it('are seen and renamed by their own people alone (P6)', async () => {
      const [ours, theirs] = [await newTenant('named'), await newTenant('names')];
      const path = '/v1/tenants/named';
      const renamed = await pod.send('PATCH', path, { as: ours, body: { name: 'Ours' } });
      const foreign = [
        await pod.send('GET', path, { as: theirs }),
        await pod.send('PATCH', path, { as: theirs, body: { name: 'Theirs' } }),
        await pod.send('GET', '/v1/tenants/nothing', { as: theirs }),
      ];

      expect(renamed).toMatchObject({ status: 200, body: { name: 'Ours', version: 2 } });
      expect(foreign.map(({ status }) => status)).toEqual([404, 404, 404]);
      const seen = await pod.send('GET', path, { as: ours });
      expect(seen.body).toMatchObject({ tenant_id: 'named', name: 'Ours' });
    });

    it('are not changed by whoever has seen an earlier version', async () => {
      const as = await newTenant('versions');
      const rename = (name: string, version: string): Promise<TestAnswer> =>
        pod.send('PATCH', '/v1/tenants/versions', {
          as,
          body: { name },
          headers: { 'if-match': version },
        });

      const answers = [await rename('One', '"1"'), await rename('Two', '"1"')];
      const malformed = await rename('Three', '1');

      expect(answers).toMatchObject([
        { status: 200 },
        { status: 412, body: { code: 'version_mismatch' } },
      ]);
      expect(malformed).toMatchObject({ status: 400, body: { code: 'invalid_if_match' } });
    });
  });

  describe('invitations', () => {
    it('make the invited person a member, once', async () => {
      const owner = await newTenant('inviting');
      const [ann, bob] = [await newUser(), await newUser()];
      const { body } = await pod.send('POST', INVITATIONS, {
        as: owner,
        body: { email: ann.email.toUpperCase(), role: 'member' },
      });
      const { token, ...invitation } = createdInvitation.parse(body);
      const open = await pod.send('GET', INVITATIONS, { as: owner });

      expect(open.body['invitations']).toEqual([{ ...invitation, email: ann.email }]);
      expect((await accept(bob.user_id, token)).status).toBe(404);
      const answers = await Promise.all([1, 2, 3].map(() => accept(ann.user_id, token)));
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 404, 404]);
      expect(await rolesIn('inviting')).toEqual({
        [owner.subject]: 'owner',
        [ann.user_id]: 'member',
      });
      const left = await pod.send('GET', INVITATIONS, { as: owner });
      expect(left.body['invitations']).toEqual([]);
    });

    it('are kept as hashes alone (P8)', async () => {
      const as = await newTenant('hashing');
      const body = { email: 'somebody@example.com', role: 'viewer' };
      const headers = { 'idempotency-key': 'one' };
      const { token } = createdInvitation.parse(
        (await pod.send('POST', INVITATIONS, { as, body, headers })).body,
      );
      const stored = await servers.database.execute(
        `SELECT row_to_json(i)::text FROM identity.invitations AS i
         UNION ALL SELECT row_to_json(k)::text FROM identity.idempotency_keys AS k
         UNION ALL SELECT row_to_json(a)::text FROM audit.audit_log AS a`,
      );

      expect(JSON.stringify(stored)).not.toContain(token.slice(4));
    });

    it('end: revoked, replaced or after seven days', async () => {
      const as = await newTenant('ending');
      const { user_id, email } = await newUser();
      const invite = async (): Promise<CreatedInvitation> => {
        const body = { email, role: 'viewer' };
        return createdInvitation.parse((await pod.send('POST', INVITATIONS, { as, body })).body);
      };
      const replaced = await invite();
      const revoked = await invite();
      const path = `${INVITATIONS}/${revoked.invitation_id}`;
      const revocations = [
        await pod.send('DELETE', path, { as: await newTenant('ending-2') }),
        await pod.send('DELETE', path, { as }),
        await pod.send('DELETE', path, { as }),
      ];
      const late = await invite();
      expect(Date.parse(late.expires_at) - Date.parse(late.created_at)).toBeLessThanOrEqual(
        7 * 24 * 60 * 60 * 1000,
      );
      await servers.database.execute(
        `UPDATE identity.invitations SET expires_at = now() WHERE invitation_id = $1`,
        [late.invitation_id],
      );

      const answers = [];
      for (const { token } of [replaced, revoked, late]) answers.push(await accept(user_id, token));

      expect(revocations.map(({ status }) => status)).toEqual([404, 204, 404]);
      expect(await auditOf(revoked.invitation_id)).toEqual([
        ...['invitation.created', 'invitation.revoked'],
      ]);
      expect(answers.map(({ body }) => body['code'])).toEqual(
        Array.from({ length: 3 }, () => 'invitation_not_found'),
      );
    });

    it('are not for members, nor accepted by services or unverified people', async () => {
      const as = await newTenant('refusing');
      const { email } = await newUser();
      const member = await join(as, 'viewer');
      const { body: row } = await pod.send('GET', `${MEMBERS}/${member.subject}`, { as });
      const again = await pod.send('POST', INVITATIONS, {
        as,
        body: { email: row['email'], role: 'admin' },
      });
      const { body } = await pod.send('POST', INVITATIONS, { as, body: { email, role: 'viewer' } });
      const service = await pod.send('POST', `${INVITATIONS}/accept`, {
        as: { tenant: 'refusing', scopes: ['members:write'] },
        body: { token: body['token'] },
      });
      const unverified = await newUser();
      await servers.database.execute(
        `UPDATE identity.users SET email_verified_at = NULL WHERE user_id = $1`,
        [unverified.user_id],
      );
      const unproven = await accept(unverified.user_id, String(body['token']));

      expect(again).toMatchObject({ status: 409, body: { code: 'already_member' } });
      expect(service).toMatchObject({ status: 403, body: { code: 'person_required' } });
      expect(unproven).toMatchObject({ status: 403, body: { code: 'email_not_verified' } });
    });
  });

  describe('members', () => {
    it('are listed for their own tenant page by page (P6)', async () => {
      const owner = await newTenant('listing');
      const stranger = await newTenant('listing-2');
      const others = [await join(owner, 'member'), await join(owner, 'auditor')];
      const ids = [owner, ...others].map(({ subject }) => subject).sort();

      const first = await pod.send('GET', `${MEMBERS}?limit=2`, { as: owner });
      const cursor = String(first.body['next_cursor']);
      const second = await pod.send('GET', `${MEMBERS}?limit=2&cursor=${cursor}`, { as: owner });
      const foreign = await pod.send('GET', MEMBERS, { as: stranger });
      const idsOf = ({ body }: TestAnswer): string[] =>
        (body['members'] as Member[]).map(({ user_id }) => user_id);

      expect([...idsOf(first), ...idsOf(second)]).toEqual(ids);
      expect(second.body['next_cursor']).toBeNull();
      expect(idsOf(foreign)).toEqual([stranger.subject]);
      const path = `${MEMBERS}/${owner.subject}`;
      const tried = [
        await pod.send('GET', path, { as: stranger }),
        await pod.send('PATCH', path, { as: stranger, body: { role: 'viewer' } }),
        await pod.send('DELETE', path, { as: stranger }),
      ];
      expect(tried.map(({ status }) => status)).toEqual([404, 404, 404]);
    });

    it('need the scope that their role gives', async () => {
      const owner = await newTenant('matrix');
      const statuses: Record<string, number[]> = {};
      for (const role of memberRole.options) {
        const as = role === 'owner' ? owner : await join(owner, role);
        const answers = [
          await pod.send('GET', MEMBERS, { as }),
          await pod.send('POST', INVITATIONS, {
            as,
            body: { email: 'new@example.com', role: 'viewer' },
          }),
          await pod.send('GET', ACCOUNTS, { as }),
          await pod.send('PATCH', '/v1/tenants/matrix', { as, body: { name: role } }),
        ];
        statuses[role] = answers.map(({ status }) => status);
      }

      expect(statuses).toEqual({
        owner: [200, 201, 200, 200],
        admin: [200, 201, 200, 403],
        member: [403, 403, 403, 403],
        viewer: [403, 403, 403, 403],
        auditor: [200, 403, 200, 403],
      });
    });

    it('give and take no role above their own', async () => {
      const owner = await newTenant('granting');
      const [admin, member] = [await join(owner, 'admin'), await join(owner, 'member')];
      const email = 'above@example.com';

      const answers = [
        await setRole(admin, member, 'owner'),
        await setRole(admin, owner, 'member'),
        await pod.send('DELETE', `${MEMBERS}/${owner.subject}`, { as: admin }),
        await pod.send('POST', INVITATIONS, { as: admin, body: { email, role: 'owner' } }),
      ];

      expect(answers.map(({ status, body }) => [status, body['code']])).toEqual(
        answers.map(() => [403, 'role_exceeds_own']),
      );
      expect((await setRole(admin, member, 'admin')).status).toBe(200);
    });

    it('lose the tokens of their former role everywhere within a second', async () => {
      const owner = await newTenant('voiding');
      const admin = await join(owner, 'admin');
      const id = `voiding:${admin.subject}`;
      const started = performance.now();
      const issued = Math.floor(Date.now() / 1000);
      expect((await setRole(owner, admin, 'viewer')).status).toBe(200);

      const update = await until(() => heard.find((each) => each.id === id));

      expect(performance.now() - started).toBeLessThan(1_000);
      expect(update.entity).toBe('principal');
      expect(update.version).toBeGreaterThanOrEqual(issued);
    });

    it('are not changed by whoever has seen an earlier version', async () => {
      const as = await newTenant('stale');
      const someone = await join(as, 'viewer');
      const path = `${MEMBERS}/${someone.subject}`;
      const headers = { 'if-match': '"1"' };
      const changed = await pod.send('PATCH', path, { as, body: { role: 'member' }, headers });

      const answers = [
        await pod.send('PATCH', path, { as, body: { role: 'admin' }, headers }),
        await pod.send('DELETE', path, { as, headers }),
      ];

      expect(member.parse(changed.body)).toMatchObject({ role: 'member', version: 2 });
      expect(answers.map(({ status }) => status)).toEqual([412, 412]);
    });

    it('always have an owner, however many leave at once on several pods', async () => {
      for (let round = 0; round < 5; round += 1) {
        const first = await newTenant(`race-${round}`);
        const owners = [first, await join(first, 'owner'), await join(first, 'owner')];

        const answers = await Promise.all(
          owners.map((owner, index) => {
            const at = pods[index % 2 === 0 ? 0 : 1];
            return index === 1
              ? at.send('DELETE', `${MEMBERS}/${owner.subject}`, { as: owner })
              : at.send('PATCH', `${MEMBERS}/${owner.subject}`, {
                  as: owner,
                  body: { role: 'member' },
                });
          }),
        );

        const refused = answers.filter(({ status }) => status === 409);
        expect(refused).toMatchObject([{ body: { code: 'last_owner' } }]);
        const roles = Object.values(await rolesIn(`race-${round}`));
        expect(roles.filter((role) => role === 'owner')).toHaveLength(1);
      }
    });
  });

  describe('service accounts', () => {
    it('are made, renamed and removed, and belong to their tenant alone (P6)', async () => {
      const [as, other] = [await newTenant('robots'), await newTenant('robots-2')];
      const made = await pod.send('POST', ACCOUNTS, { as, body: { name: 'Bot' } });
      const { service_account_id: id } = serviceAccount.parse(made.body);
      const path = `${ACCOUNTS}/${id}`;
      const foreign = [
        await pod.send('GET', path, { as: other }),
        await pod.send('PATCH', path, { as: other, body: { name: 'Theirs' } }),
        await pod.send('DELETE', path, { as: other }),
      ];
      const same = await pod.send('POST', ACCOUNTS, { as: other, body: { name: 'Bot' } });
      const renamed = await pod.send('PATCH', path, { as, body: { name: 'Robot' } });
      const stale = await pod.send('DELETE', path, { as, headers: { 'if-match': '"1"' } });

      expect(foreign.map(({ status }) => status)).toEqual([404, 404, 404]);
      expect([same.status, stale.status]).toEqual([201, 412]);
      expect(renamed.body).toMatchObject({ name: 'Robot', version: 2 });
      expect((await pod.send('DELETE', path, { as })).status).toBe(204);
      expect((await pod.send('GET', path, { as })).status).toBe(404);
      expect((await pod.send('GET', ACCOUNTS, { as })).body['service_accounts']).toEqual([]);
      expect(await auditOf(id)).toEqual([
        ...['service_account.created', 'service_account.renamed', 'service_account.removed'],
      ]);
    });

    it('take their keys with them', async () => {
      const as = await newTenant('keyed');
      const { body } = await pod.send('POST', '/v1/api-keys', {
        as,
        body: { name: 'Key', scopes: ['sessions:read'] },
      });
      const account = `${ACCOUNTS}/${String(body['service_account_id'])}`;

      expect((await pod.send('DELETE', account, { as })).status).toBe(204);

      const key = await pod.send('GET', `/v1/api-keys/${String(body['key_id'])}`, { as });
      expect(key.body['revoked_at']).not.toBeNull();
      const id = `keyed:${String(body['key_id'])}`;
      await until(() => heard.find((each) => each.id === id));
    });
  });

  it('writes every change into the audit log, of the tenant that it is of', async () => {
    const owner = await newTenant('audited');
    const viewer = await join(owner, 'viewer');
    await setRole(owner, viewer, 'member');
    await pod.send('DELETE', `${MEMBERS}/${viewer.subject}`, { as: owner });
    await pod.send('PATCH', '/v1/tenants/audited', { as: owner, body: { name: 'Audited' } });

    const lines = await servers.database.execute(
      `SELECT action, actor_subject FROM audit.audit_log WHERE tenant_id = 'audited' ORDER BY seq`,
    );

    expect(lines.map(({ action, actor_subject }) => [action, actor_subject])).toEqual([
      ['tenant.created', 'operator'],
      ['invitation.accepted', owner.subject],
      ['invitation.created', owner.subject],
      ['invitation.accepted', viewer.subject],
      ['member.role_changed', owner.subject],
      ['member.removed', owner.subject],
      ['tenant.renamed', owner.subject],
    ]);
  });

  it.each([
    [INVITATIONS, { email: 'nobody', role: 'viewer' }, 'email'],
    [INVITATIONS, { email: 'a@example.com', role: 'king' }, 'role'],
    [INVITATIONS, { email: 'a@example.com', role: 'viewer', tenant_id: 'x' }, 'tenant_id'],
    [ACCOUNTS, { name: '' }, 'name'],
    ['/v1/tenants', { tenant_id: 'a b', name: 'x', owner_email: 'a@b.co' }, 'tenant_id'],
  ])('refuses %s %j', async (path, body, field) => {
    const as = { tenant: 'soma', scopes: ['members:write', 'tenants:write'] };
    const answer = await pod.send('POST', path, { as, body });

    expect(answer).toMatchObject({ status: 400, body: { fields: [{ path: field }] } });
  });
});
