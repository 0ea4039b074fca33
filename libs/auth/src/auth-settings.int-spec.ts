import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { Principal } from '@soma/contracts';
import { loadConfig } from '@soma/kernel';
import { startHttpServer } from '@soma/testing';
import { type JWK, SignJWT } from 'jose';
import { z } from 'zod';
import { Authenticator } from './authenticator.ts';
import { authOptions, authSettings } from './auth-settings.ts';
import { VaultKeys } from './keys/vault-keys.ts';
import { TokenVerifier } from './token-verifier.ts';

const ISSUER = 'https://id.soma.example';
const schema = z.object(authSettings);

interface Pair {
  privateKey: KeyObject;
  publicKey: KeyObject;
}
const pairs: Record<string, Pair> = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  PS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  EdDSA: generateKeyPairSync('ed25519'),
};

function pair(alg: string): Pair {
  return pairs[alg] ?? { privateKey: {} as KeyObject, publicKey: {} as KeyObject };
}

function pem(alg: string): string {
  return pair(alg).publicKey.export({ type: 'spki', format: 'pem' }).toString();
}

function jwk(alg: string, changed: JWK = {}): JWK {
  return { ...pair(alg).publicKey.export({ format: 'jwk' }), kid: alg, alg, ...changed };
}

function tokenBy(alg: string, claims: object = {}, kid = alg): Promise<string> {
  return new SignJWT({ aud: 'gateway', sub: 'ann', tenant: 'acme', ...claims })
    .setProtectedHeader({ alg, kid })
    .setIssuer((claims as { iss?: string }).iss ?? ISSUER)
    .setIssuedAt()
    .setExpirationTime('5 minutes')
    .sign(pair(alg).privateKey);
}

const refused = { status: 401, code: 'invalid_token' };

describe('where verification keys come from', () => {
  const running = new AsyncDisposableStack();
  /** What the far side serves, by path, and what it was asked. */
  const served = new Map<string, unknown>();
  const asked: { path: string; token: unknown; body: string }[] = [];
  let url: string;

  async function answer(request: IncomingMessage): Promise<unknown> {
    const path = request.url ?? '';
    asked.push({ path, token: request.headers['x-vault-token'], body: await text(request) });
    return served.get(path);
  }

  beforeAll(async () => {
    Logger.overrideLogger(false);
    const server = await startHttpServer((request, response) => {
      void answer(request).then((body) => {
        response.writeHead(body === undefined ? 404 : 200).end(JSON.stringify(body ?? {}));
      });
    });
    ({ url } = running.use(server));
  });

  beforeEach(() => {
    served.clear();
    asked.length = 0;
  });

  afterAll(() => running.disposeAsync());

  function authenticatorBy(settings: Record<string, string>): Authenticator {
    const config = loadConfig(schema, { IDENTITY_ISSUER: ISSUER, ...settings });
    return new Authenticator(authOptions(config, 'gateway'));
  }

  async function verify(authenticator: Authenticator, token: string): Promise<Principal> {
    return authenticator.authenticate({ authorization: `Bearer ${token}` });
  }

  describe('from a setting', () => {
    it.each(['ES256', 'RS256', 'EdDSA'])('takes a key in PEM, for %s', async (alg) => {
      const authenticator = authenticatorBy({ GATEWAY_JWT_PUBLIC_KEYS: pem(alg) });

      await expect(verify(authenticator, await tokenBy(alg))).resolves.toMatchObject({
        subject: 'ann',
      });
    });

    it('takes several, so that one can follow another', async () => {
      const second = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const both = `${second.publicKey.export({ type: 'spki', format: 'pem' }).toString()}${pem('ES256')}`;

      await expect(
        verify(authenticatorBy({ GATEWAY_JWT_PUBLIC_KEYS: both }), await tokenBy('ES256')),
      ).resolves.toBeDefined();
    });

    it('takes a key set, whose keys say what they are for', async () => {
      const keys = ['ES256', 'RS256', 'PS256', 'EdDSA'].map((alg) => jwk(alg));
      const authenticator = authenticatorBy({ GATEWAY_JWT_PUBLIC_KEYS: JSON.stringify({ keys }) });

      for (const alg of Object.keys(pairs)) {
        await expect(verify(authenticator, await tokenBy(alg))).resolves.toBeDefined();
      }
      // The RSA key of RS256 does not verify by PS256.
      const swapped = await new SignJWT({ aud: 'gateway', sub: 'ann', tenant: 'acme' })
        .setProtectedHeader({ alg: 'PS256', kid: 'RS256' })
        .setIssuer(ISSUER)
        .setExpirationTime('5 minutes')
        .sign(pair('RS256').privateKey);
      await expect(verify(authenticator, swapped)).rejects.toMatchObject(refused);
    });

    it.each([
      ['a shared secret', { keys: [{ kty: 'oct', k: 'c2VjcmV0', kid: 'shared', alg: 'HS256' }] }],
      ['a private key', { keys: [pair('ES256').privateKey.export({ format: 'jwk' })] }],
    ])('keeps the service from starting over %s', async (_fault, keys) => {
      const authenticator = authenticatorBy({ GATEWAY_JWT_PUBLIC_KEYS: JSON.stringify(keys) });

      await expect(authenticator.onModuleInit()).rejects.toThrow(/shared secret|private/);
    });

    it.each([
      [
        'a private key',
        pair('ES256').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      ],
      ['no key', 'c2VjcmV0'],
    ])('is refused when it holds %s', (_fault, value) => {
      const fault = (): Authenticator => authenticatorBy({ GATEWAY_JWT_PUBLIC_KEYS: value });

      expect(fault).toThrow(/only public keys|no key/);
      // Nothing of it is in the message (P8).
      expect(fault).not.toThrow(value.slice(30, 60) || 'c2VjcmV0');
    });

    it('is not mixed with another place', () => {
      const both = { GATEWAY_JWT_PUBLIC_KEYS: pem('ES256'), GATEWAY_JWT_JWKS_URL: url };

      expect(() => authenticatorBy(both)).toThrow(
        'GATEWAY_JWT_JWKS_URL and GATEWAY_JWT_PUBLIC_KEYS',
      );
    });
  });

  describe('from an address', () => {
    it('uses what it can of a key set, and never a shared secret', async () => {
      const secret = {
        kty: 'oct',
        k: 'c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0',
        kid: 'shared',
        alg: 'HS256',
      };
      const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
      const keys = [
        ...[
          secret,
          jwk('ES256'),
          jwk('RS256', { use: 'enc' }),
          jwk('EdDSA', { key_ops: ['sign'] }),
        ],
        { ...weak.publicKey.export({ format: 'jwk' }), kid: 'weak' },
      ];
      served.set('/keys', { keys });
      const authenticator = authenticatorBy({ GATEWAY_JWT_JWKS_URL: `${url}/keys` });

      await expect(verify(authenticator, await tokenBy('ES256'))).resolves.toBeDefined();
      for (const alg of ['RS256', 'EdDSA']) {
        await expect(verify(authenticator, await tokenBy(alg))).rejects.toMatchObject(refused);
      }
    });
  });

  describe('from Vault', () => {
    const settings = (): Record<string, string> => ({
      GATEWAY_JWT_VAULT_ADDR: url,
      GATEWAY_JWT_VAULT_PATH: 'soma/jwt',
      GATEWAY_JWT_VAULT_ROLE: 'gateway',
    });

    /** A pod's token, as Kubernetes mounts it. */
    async function podToken(): Promise<string> {
      const directory = await mkdtemp(join(tmpdir(), 'soma-vault-'));
      running.defer(() => rm(directory, { recursive: true }));
      const file = join(directory, 'token');
      await writeFile(file, 'pod-token\n');
      return file;
    }

    it.each([
      ['PEM', () => pem('ES256')],
      ['a key set as text', () => JSON.stringify({ keys: [jwk('ES256')] })],
      ['a key set', () => ({ keys: [jwk('ES256')] })],
    ])('signs in as the pod and reads %s', async (_form, value) => {
      served.set('/v1/auth/kubernetes/login', { auth: { client_token: 'vault-token' } });
      served.set('/v1/secret/data/soma/jwt', { data: { data: { public_keys: value() } } });
      const { keys, ...options } = authOptions(loadConfig(schema, settings()), 'gateway');
      const location = { addr: url, mount: 'secret', path: 'soma/jwt', field: 'public_keys' };
      const vault = new VaultKeys({ ...location, role: 'gateway' }, await podToken());
      const authenticator = new Authenticator({ ...options, issuer: ISSUER, keys: vault });

      await expect(verify(authenticator, await tokenBy('ES256'))).resolves.toBeDefined();
      expect(keys).toBeInstanceOf(VaultKeys);
      expect(asked).toMatchObject([
        {
          path: '/v1/auth/kubernetes/login',
          body: JSON.stringify({ role: 'gateway', jwt: 'pod-token' }),
        },
        { path: '/v1/secret/data/soma/jwt', token: 'vault-token' },
      ]);
    });

    it('says what it needs, and is not mixed with another place', () => {
      const alone = { GATEWAY_JWT_VAULT_PATH: 'soma/jwt' };
      const both = { ...settings(), GATEWAY_JWT_JWKS_URL: url };

      expect(() => authenticatorBy(alone)).toThrow('GATEWAY_JWT_VAULT_ROLE');
      expect(() => authenticatorBy(both)).toThrow('GATEWAY_JWT_VAULT_PATH');
    });
  });

  describe('from another provider', () => {
    const provider = (): object => ({
      ...{ issuer: `${url}/acme`, audience: 'api://soma', tenant_claim: 'org' },
      ...{ tenants: ['acme'], role: 'viewer' },
    });
    const guest = (changed: object = {}): object => ({
      ...{ iss: `${url}/acme`, aud: 'api://soma', sub: 'ann', org: 'acme', scp: ['sessions:read'] },
      ...changed,
    });

    const withProvider = (): Record<string, string> => ({
      GATEWAY_JWT_PUBLIC_KEYS: pem('ES256'),
      GATEWAY_JWT_EXTERNAL_ISSUERS: JSON.stringify([provider()]),
    });

    function serveProvider(metadata: object = {}): Authenticator {
      const described = { issuer: `${url}/acme`, jwks_uri: `${url}/acme/keys`, ...metadata };
      served.set('/acme/.well-known/openid-configuration', described);
      served.set('/acme/keys', { keys: [jwk('RS256')] });
      return authenticatorBy(withProvider());
    }

    it('finds its keys by discovery, and takes nobody for one of ours', async () => {
      const authenticator = serveProvider();

      const theirs = await verify(
        authenticator,
        await tokenBy('RS256', guest({ role: 'owner', tenant: 'globex', api_key_id: 'k7' })),
      );
      const ours = await verify(authenticator, await tokenBy('ES256', { role: 'admin' }));

      expect(theirs).toEqual({
        subject: `${url}/acme|ann`,
        tenant_id: 'acme',
        scopes: ['sessions:read'],
        role: 'viewer',
        issued_at: expect.any(Number),
      });
      expect(ours).toMatchObject({ subject: 'ann', role: 'admin' });
    });

    it.each<[string, object]>([
      ['for a tenant that is not its own', { org: 'globex' }],
      ['for us and not for it', { aud: 'gateway' }],
      ['in the name of identity', { iss: ISSUER, aud: 'gateway', tenant: 'acme' }],
    ])('refuses its token %s', async (_fault, changed) => {
      const token = await tokenBy('RS256', guest(changed));

      await expect(verify(serveProvider(), token)).rejects.toMatchObject(refused);
    });

    it('refuses its token as that of a service, which may speak for anyone', async () => {
      const token = await tokenBy('RS256', guest({ cnf: { jkt: randomUUID() } }));

      serveProvider();
      const verifier = new TokenVerifier(
        authOptions(loadConfig(schema, withProvider()), 'gateway'),
      );

      await expect(verifier.verify(token)).rejects.toMatchObject(refused);
    });

    it("refuses a token in its name with identity's key", async () => {
      const token = await tokenBy('ES256', guest());

      await expect(verify(serveProvider(), token)).rejects.toMatchObject(refused);
    });

    it.each([
      ['describes somebody else', { issuer: 'https://elsewhere.example' }],
      ['is not there', { jwks_uri: 'http://127.0.0.1:1/' }],
    ])('has no keys where its document %s', async (_fault, metadata) => {
      const token = await tokenBy('RS256', guest());

      await expect(verify(serveProvider(metadata), token)).rejects.toMatchObject({ status: 503 });
      // The others are not the worse for it.
      await expect(verify(serveProvider(metadata), await tokenBy('ES256'))).resolves.toBeDefined();
    });

    it.each(['{}', '[{}]', 'x', JSON.stringify([{ issuer: 'https://a.example', audience: 'b' }])])(
      'names the setting that cannot be read: %s',
      (value) => {
        const load = (): unknown => loadConfig(schema, { GATEWAY_JWT_EXTERNAL_ISSUERS: value });

        expect(load).toThrow('GATEWAY_JWT_EXTERNAL_ISSUERS');
      },
    );
  });
});
