import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Secret } from '@soma/kernel';
import { until, startHttpServer, type HttpServer } from '@soma/testing';
import { describeSecretBackendContract } from '../secret-backend.contract.ts';
import { VaultSecrets } from './vault-secrets.ts';
import { VaultError, type VaultLogin } from './vault-session.ts';

const address = process.env['VAULT_ADDR'] ?? '';
const rootToken = process.env['VAULT_TOKEN'] ?? '';
const isThere = await fetch(`${address}/v1/sys/health`).then(
  () => rootToken !== '',
  () => false,
);
if (!isThere) {
  process.stderr.write(
    '\nSKIPPED: secrets in Vault. Set VAULT_ADDR and VAULT_TOKEN (of a development server) to test them.\n\n',
  );
}

/** With a real Vault: what its KV engine makes of what is asked, for whoever has the rights it needs. */
(isThere ? describe : describe.skip)('VaultSecrets', () => {
  const mount = `kv-${randomUUID()}`;
  const location = { tenantId: 'acme', connection: randomUUID(), field: 'token' };

  beforeAll(async () => {
    await asRoot('POST', `sys/mounts/${mount}`, { type: 'kv', options: { version: '2' } });
    await asRoot('POST', `sys/policies/acl/${mount}`, {
      policy: `
        path "${mount}/data/soma/*" { capabilities = ["create", "read", "update"] }
        path "${mount}/metadata/soma/*" { capabilities = ["delete"] }`,
    });
    // A new engine upgrades itself for a moment, in which it refuses writes.
    const write = () => asRoot('POST', `${mount}/data/first`, { data: {} }).then(() => true);
    await until(() => write().catch(() => false));
  });
  afterAll(async () => {
    await asRoot('DELETE', `sys/mounts/${mount}`);
  });

  const signedInBy = (login: VaultLogin): VaultSecrets =>
    new VaultSecrets({ address, login, mount });

  describe('signed in by AppRole', () => {
    describeSecretBackendContract(async () => signedInBy(await appRole()));

    it('keeps tenants apart whose names mean something in a path (P6)', async () => {
      const backend = signedInBy(await appRole());
      for (const tenantId of ['.', '..', '...', 'tenant-..']) {
        await backend.write({ ...location, tenantId }, new Secret(tenantId));
      }
      expect(await backend.read(location)).toBeUndefined();
      expect((await backend.read({ ...location, tenantId: '..' }))?.reveal()).toBe('..');
    });

    it('tells that Vault refused, and no secret (P8)', async () => {
      const backend = new VaultSecrets({ address, login: await appRole(), mount: 'elsewhere' });
      const failure: unknown = await backend
        .write(location, new Secret('canary'))
        .catch((error: unknown) => error);

      expect(failure).toBeInstanceOf(VaultError);
      expect(failure).toMatchObject({ status: 403 });
      expect(String(failure)).not.toContain('canary');
    });
  });

  it('uses a token that was made elsewhere', async () => {
    const body = { policies: [mount], ttl: '1h' };
    const { auth } = await asRoot('POST', 'auth/token/create', body);
    const backend = signedInBy({ method: 'token', token: new Secret(auth?.client_token ?? '') });
    const version = await backend.write(location, new Secret('by token'));

    expect((await backend.read(location, version))?.reveal()).toBe('by token');
  });

  it('signs in with the token of a pod, which Vault has Kubernetes review', async () => {
    await using reviews = await startTokenReviews();
    const folder = await mkdtemp(join(tmpdir(), 'soma-vault-'));
    const tokenFile = join(folder, 'token');
    await writeFile(tokenFile, podToken());
    await kubernetesAuth(reviews.url);

    const login = { method: 'kubernetes', role: 'soma-catalog', tokenFile } as const;
    const backend = signedInBy(login);
    await backend.write(location, new Secret('by pod'));
    expect((await backend.read(location))?.reveal()).toBe('by pod');
    await rm(folder, { recursive: true });
  });

  async function appRole(): Promise<VaultLogin> {
    await asRoot('POST', 'sys/auth/approle', { type: 'approle' }).catch(() => undefined);
    await asRoot('POST', `auth/approle/role/${mount}`, { token_policies: mount });
    const { data: role } = await asRoot('GET', `auth/approle/role/${mount}/role-id`);
    const { data: secret } = await asRoot('POST', `auth/approle/role/${mount}/secret-id`, {});
    return {
      method: 'approle',
      roleId: String(role?.['role_id']),
      secretId: new Secret(String(secret?.['secret_id'])),
    };
  }

  async function kubernetesAuth(kubernetes_host: string): Promise<void> {
    await asRoot('POST', 'sys/auth/kubernetes', { type: 'kubernetes' }).catch(() => undefined);
    await asRoot('POST', 'auth/kubernetes/config', {
      kubernetes_host,
      token_reviewer_jwt: podToken(),
      disable_local_ca_jwt: true,
    });
    await asRoot('POST', 'auth/kubernetes/role/soma-catalog', {
      bound_service_account_names: 'soma-catalog',
      bound_service_account_namespaces: 'soma',
      token_policies: mount,
    });
  }
});

interface VaultAnswer {
  data?: Record<string, unknown>;
  auth?: { client_token: string };
}

async function asRoot(method: string, path: string, body?: object): Promise<VaultAnswer> {
  const answer = await fetch(`${address}/v1/${path}`, {
    method,
    headers: { 'x-vault-token': rootToken },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  const text = await answer.text();
  return text === '' ? {} : (JSON.parse(text) as VaultAnswer);
}

/** As Kubernetes gives them to pods. Whether it holds is for the reviewer to say. */
function podToken(): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: 'https://kubernetes.default.svc',
    sub: 'system:serviceaccount:soma:soma-catalog',
    iat: now,
    nbf: now,
    exp: now + 3600,
    'kubernetes.io': { namespace: 'soma', serviceaccount: { name: 'soma-catalog', uid: 'u-1' } },
  };
  return [part({ alg: 'RS256', kid: 'k1' }), part(claims), part({ any: 'signature' })].join('.');
}

/** The one call of Kubernetes's API that Vault makes (authentication.k8s.io/v1 TokenReview). */
function startTokenReviews(): Promise<HttpServer> {
  return startHttpServer((_request, response) => {
    const user = {
      username: 'system:serviceaccount:soma:soma-catalog',
      uid: 'u-1',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:soma'],
    };
    response.writeHead(201, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify({
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        status: { authenticated: true, user },
      }),
    );
  });
}
