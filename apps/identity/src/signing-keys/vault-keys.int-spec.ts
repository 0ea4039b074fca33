import { createPublicKey, randomBytes, randomUUID, verify } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Secret } from '@soma/kernel';
import { Envelope } from '@soma/secrets';
import { DatabaseKeys } from './database-keys.ts';
import { VaultKeys } from './vault-keys.ts';

const address = process.env['VAULT_ADDR'] ?? '';
const rootToken = process.env['VAULT_TOKEN'] ?? '';
const isThere = await fetch(`${address}/v1/sys/health`).then(
  () => rootToken !== '',
  () => false,
);
if (!isThere) {
  process.stderr.write(
    '\nSKIPPED: keys in Vault. Set VAULT_ADDR and VAULT_TOKEN (of a development server) to test them.\n\n',
  );
}

/** With a real Vault: what its Transit engine makes of what is asked. */
(isThere ? describe : describe.skip)('VaultKeys', () => {
  const mount = `transit-${randomUUID()}`;
  const database = new DatabaseKeys(new Envelope(new Secret(randomBytes(32).toString('base64'))));
  let keys: VaultKeys;

  beforeAll(async () => {
    await asRoot('POST', `sys/mounts/${mount}`, { type: 'transit' });
    await asRoot('POST', 'sys/auth/approle', { type: 'approle' }).catch(() => undefined);
    await asRoot('POST', `sys/policies/acl/${mount}`, {
      policy: `
        path "${mount}/keys/soma" { capabilities = ["create", "read", "update"] }
        path "${mount}/keys/soma/rotate" { capabilities = ["update"] }
        path "${mount}/sign/soma/*" { capabilities = ["update"] }`,
    });
    await asRoot('POST', `auth/approle/role/${mount}`, { token_policies: mount });
    const { data: role } = await asRoot('GET', `auth/approle/role/${mount}/role-id`);
    const { data: secret } = await asRoot('POST', `auth/approle/role/${mount}/secret-id`, {});
    const login = {
      method: 'approle',
      roleId: String(role['role_id']),
      secretId: new Secret(String(secret['secret_id'])),
    } as const;
    keys = new VaultKeys({ address, login, mount, key: 'soma' }, database);
  });
  afterAll(() => asRoot('DELETE', `sys/mounts/${mount}`));

  async function asRoot(
    method: string,
    path: string,
    body?: object,
  ): Promise<{ data: Record<string, unknown> }> {
    const answer = await fetch(`${address}/v1/${path}`, {
      method,
      headers: { 'x-vault-token': rootToken },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    const text = await answer.text();
    return text === '' ? { data: {} } : (JSON.parse(text) as { data: Record<string, unknown> });
  }

  it('signs with the version that is asked for, also after the next was made', async () => {
    const first = await keys.create('first');
    const second = await keys.create('second');

    for (const stored of [first, second]) {
      const { publicKey, sign } = keys.open(stored);
      const signature = await sign(Buffer.from('data'));
      const key = createPublicKey({ key: publicKey, format: 'jwk' });
      const check = { key, dsaEncoding: 'ieee-p1363' } as const;
      expect(verify('sha256', Buffer.from('data'), check, signature)).toBe(true);
      expect(publicKey).toMatchObject({ kid: stored.kid, kty: 'EC', crv: 'P-256', alg: 'ES256' });
    }
    expect(first.vault_version).not.toBe(second.vault_version);
    expect([first.sealed_jwk, second.sealed_jwk]).toEqual([null, null]);
  });

  it('cannot get the private key', async () => {
    await keys.create('third');

    await expect(asRoot('GET', `${mount}/export/signing-key/soma`)).rejects.toThrow(/400|403/);
  });

  it('goes on with keys from before Vault', async () => {
    const stored = await database.create('sealed');

    await expect(keys.open(stored).sign(Buffer.from('data'))).resolves.toHaveLength(64);
  });
});
