import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '@soma/testing';
import { claimsOf, IdentityDeployment, type Person, type Pod } from '../people/spec-support.ts';

describe('an access token that is given back (RFC 7009)', () => {
  const running = new AsyncDisposableStack();
  let deployment: IdentityDeployment;
  let pod: Pod;
  let ann: Person;

  beforeAll(async () => {
    deployment = running.use(await IdentityDeployment.start());
    pod = await deployment.startPod({ RATE_LIMIT_API_PER_MINUTE: '100000' });
    ann = await deployment.addPerson();
  });
  afterAll(() => running.disposeAsync());

  async function giveBack(token: string, client_id = 'ui'): Promise<number> {
    const body = new URLSearchParams({ client_id, token });
    // Some libraries take anything, and are no browsers for that.
    const headers = { accept: 'text/html, */*' };
    const url = new URL('/oauth/revoke', pod.url);
    return (await fetch(url, { method: 'POST', body, headers })).status;
  }

  const statusOf = async (token: string) => (await pod.ask(token, '/api/auth/accounts')).status;

  const isRefused = (token: string) => until(async () => (await statusOf(token)) === 401);

  /** What is told of single tokens of a person, or of all of them. */
  function updates(isSingle: boolean, person = ann): Promise<Record<string, unknown>[]> {
    return deployment.database.execute(
      `SELECT entity_id, version FROM identity.config_updates
        WHERE entity = 'principal' AND deleted = $1 AND starts_with(entity_id, $2)`,
      [isSingle, `acme:${person.user_id}`],
    );
  }

  it('is void everywhere, alone, and the audit log says so once', async () => {
    const [token, other] = [await pod.tokenOf(ann), await pod.tokenOf(ann)];
    expect(await statusOf(token)).toBe(200);

    expect([await giveBack(token), await giveBack(token)]).toEqual([200, 200]);

    await isRefused(token);
    expect(await statusOf(other)).toBe(200);
    const lines = await deployment.database.execute(
      `SELECT actor_subject, target_id, outcome, details FROM audit.audit_log
        WHERE action = 'token.revoked' AND tenant_id = 'acme'`,
    );
    expect(lines).toEqual([
      {
        ...{ actor_subject: ann.user_id, target_id: claimsOf(token)['jti'], outcome: 'success' },
        details: { reason: 'returned', client_id: 'ui' },
      },
    ]);
  });

  it('is none that another client has, that is forged, or that is no token', async () => {
    const foreign = await pod.tokenOf(ann, { clientId: 'another' });
    const [header, claims, signature] = (await pod.tokenOf(ann)).split('.');
    const told = Buffer.from(JSON.stringify({ ...claimsOf(`.${claims}.`), jti: 'x' }));
    const forged = [header, told.toString('base64url'), signature].join('.');
    const before = await updates(true);

    for (const token of [foreign, forged, 'a.b.c', 'opaque']) {
      expect(await giveBack(token)).toBe(200);
    }
    expect(await giveBack(foreign, 'unknown')).toBe(401);

    expect(await statusOf(foreign)).toBe(200);
    expect(await updates(true)).toEqual(before);
  });

  it('takes all others of its person along once there are very many', async () => {
    const bob = await deployment.addPerson();
    await deployment.database.execute(
      `INSERT INTO identity.config_updates
         (tenant_id, entity, entity_id, version, deleted, occurred_at, publish_at, published_at)
       SELECT 'acme', 'principal', 'acme:' || $1 || ':' || n, 1, true, now(), now(), now()
         FROM generate_series(1, 100) AS n`,
      [bob.user_id],
    );
    const [token, other] = [await pod.tokenOf(bob), await pod.tokenOf(bob)];

    await giveBack(token);

    await Promise.all([token, other].map(isRefused));
    expect(await updates(true, bob)).toHaveLength(100);
    expect(await updates(false, bob)).toHaveLength(1);
  });

  it('is forgotten when it is long over, and nothing else is', async () => {
    await deployment.database.execute(
      `INSERT INTO identity.config_updates
         (tenant_id, entity, entity_id, version, deleted, occurred_at, publish_at, published_at)
       SELECT 'acme', 'principal', 'acme:old' || part, 1, part <> '', at, at, at
         FROM unnest(ARRAY[':t', '']) AS part,
              (SELECT now() - interval '61 min' AS at) AS moment`,
    );

    // A pod looks when it starts, and then again and again.
    await deployment.startPod();

    const left = await until(async () => {
      const rows = await deployment.database.execute(
        `SELECT entity_id FROM identity.config_updates WHERE starts_with(entity_id, 'acme:old')`,
      );
      return rows.length < 2 ? rows : undefined;
    });
    expect(left).toEqual([{ entity_id: 'acme:old' }]);
    expect((await updates(true)).length).toBeGreaterThan(0);
  });
});
