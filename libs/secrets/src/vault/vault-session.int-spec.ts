import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Secret, TransientError } from '@soma/kernel';
import { startHttpServer, type HttpServer } from '@soma/testing';
import { type VaultLogin, VaultSession } from './vault-session.ts';

const LEASE_SECONDS = 900;

interface Call {
  path: string;
  token: string | undefined;
  body: unknown;
}

/**
 * The other end of the wire, for what a client does about tokens that end: it hands them out, renews
 * them or not, and writes down who asks. What Vault itself does is tested with Vault.
 */
class FarSide {
  readonly calls: Call[] = [];
  private readonly live = new Set<string>();
  private server: HttpServer | undefined;
  renews = true;
  /** What the policy refuses everybody. */
  denied = '';
  status = 200;
  /** Of a token that somebody else made. */
  ttl = LEASE_SECONDS;

  async start(): Promise<string> {
    this.server = await startHttpServer((request, response) => {
      void this.answer(request.url ?? '', request).then(([status, body]) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(JSON.stringify(body));
      });
    });
    return `${this.server.url}/`;
  }

  async stop(): Promise<void> {
    await this.server?.[Symbol.asyncDispose]();
  }

  issue(): Secret {
    this.live.add('hvs.issued');
    return new Secret('hvs.issued');
  }

  revokeAll(): void {
    this.live.clear();
  }

  paths(): string[] {
    return this.calls.map(({ path }) => path);
  }

  private async answer(
    path: string,
    request: AsyncIterable<Buffer> & { headers: Record<string, unknown> },
  ): Promise<[number, object]> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const token = request.headers['x-vault-token'] as string | undefined;
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    this.calls.push({ path, token, body });
    return this.status === 200
      ? this.grant(path, token)
      : [this.status, { errors: [`failed for ${String(token)}`] }];
  }

  private grant(path: string, token: string | undefined): [number, object] {
    if (path.endsWith('/login')) return [200, this.newLease()];
    if (token === undefined || !this.live.has(token)) return [403, { errors: ['denied'] }];
    if (path === this.denied) return [403, { errors: ['denied'] }];
    if (path.endsWith('/lookup-self')) return [200, { data: { ttl: this.ttl, renewable: true } }];
    if (path.endsWith('/renew-self')) {
      return this.renews ? [200, leaseOf(token)] : [400, { errors: ['lease is not renewable'] }];
    }
    return [200, { data: { asked: path } }];
  }

  private newLease(): object {
    const token = `hvs.token-${this.calls.length}`;
    this.live.add(token);
    return leaseOf(token);
  }
}

function leaseOf(client_token: string): object {
  return { auth: { client_token, lease_duration: LEASE_SECONDS, renewable: true } };
}

const LOGIN = '/v1/auth/approle/login';
const RENEW = '/v1/auth/token/renew-self';
const LOOK_UP = '/v1/auth/token/lookup-self';
const ASK = '/v1/transit/keys/one';

describe('VaultSession', () => {
  let vault: FarSide;
  let address: string;
  let session: VaultSession;

  beforeEach(async () => {
    jest.useFakeTimers({ now: Date.now(), toFake: ['Date'] } as never);
    vault = new FarSide();
    address = await vault.start();
    session = sessionWith({
      method: 'approle',
      roleId: 'identity',
      secretId: new Secret('the-secret-id'),
    });
  });

  afterEach(async () => {
    jest.useRealTimers();
    await vault.stop();
  });

  const sessionWith = (login: VaultLogin): VaultSession => new VaultSession({ address, login });
  const ask = (): Promise<unknown> => session.request('GET', 'transit/keys/one');
  const pass = (seconds: number): void => {
    jest.setSystemTime(Date.now() + seconds * 1000);
  };

  it('signs in once, with its AppRole, however many requests there are', async () => {
    await Promise.all([ask(), ask(), ask()]);

    expect(vault.paths()).toEqual([LOGIN, ASK, ASK, ASK]);
    expect(vault.calls[0]?.body).toEqual({ role_id: 'identity', secret_id: 'the-secret-id' });
    expect(new Set(vault.calls.slice(1).map(({ token }) => token)).size).toBe(1);
  });

  it('signs in with the token of its service account in Kubernetes, as it is then', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'soma-vault-'));
    const tokenFile = join(folder, 'token');
    session = sessionWith({ method: 'kubernetes', role: 'soma-identity', tokenFile });
    await writeFile(tokenFile, 'jwt-one\n');
    await ask();
    await writeFile(tokenFile, 'jwt-two\n');
    vault.revokeAll();
    pass(60);
    await ask();
    await rm(folder, { recursive: true });

    const logins = vault.calls.filter(({ path }) => path === '/v1/auth/kubernetes/login');
    expect(logins.map(({ body }) => body)).toEqual([
      { role: 'soma-identity', jwt: 'jwt-one' },
      { role: 'soma-identity', jwt: 'jwt-two' },
    ]);
  });

  it('renews a token that it was given, and keeps one that lives for ever', async () => {
    session = sessionWith({ method: 'token', token: vault.issue() });
    await ask();
    pass(LEASE_SECONDS * 0.7);
    await ask();
    expect(vault.paths()).toEqual([LOOK_UP, ASK, RENEW, ASK]);

    vault.ttl = 0;
    session = sessionWith({ method: 'token', token: vault.issue() });
    await ask();
    pass(LEASE_SECONDS * 100);
    await ask();
    expect(vault.paths().slice(4)).toEqual([LOOK_UP, ASK, ASK]);
  });

  it('renews its token before it ends, once', async () => {
    await ask();
    pass(LEASE_SECONDS * 0.6);
    await ask();
    pass(LEASE_SECONDS * 0.1);
    await Promise.all([ask(), ask()]);

    expect(vault.paths()).toEqual([LOGIN, ASK, ASK, RENEW, ASK, ASK]);
  });

  it('signs in again when its token is not renewed any more', async () => {
    await ask();
    vault.renews = false;
    pass(LEASE_SECONDS * 0.7);
    await ask();

    expect(vault.paths()).toEqual([LOGIN, ASK, RENEW, LOGIN, ASK]);
  });

  it('signs in again after its token has ended', async () => {
    await ask();
    pass(LEASE_SECONDS + 1);
    await ask();

    expect(vault.paths()).toEqual([LOGIN, ASK, LOGIN, ASK]);
  });

  it('signs in again, once, when its token is refused', async () => {
    await ask();
    vault.revokeAll();
    pass(60);
    await ask();

    expect(vault.paths()).toEqual([LOGIN, ASK, ASK, LOGIN, ASK]);
  });

  it('does not sign in again and again for what the policy refuses', async () => {
    vault.denied = ASK;
    for (const seconds of [0, 60, 1, 1]) {
      pass(seconds);
      await expect(ask()).rejects.toThrow('403');
    }

    // A token that was there for a while may have been revoked: it is exchanged, once.
    expect(vault.paths()).toEqual([LOGIN, ASK, ASK, LOGIN, ASK, ASK, ASK]);
  });

  it('goes on with its token while renewing fails, for as long as it lasts', async () => {
    await ask();
    pass(LEASE_SECONDS * 0.7);
    vault.status = 503;
    await expect(ask()).rejects.toThrow(TransientError);
    expect(vault.paths().slice(-2)).toEqual([RENEW, ASK]);

    vault.status = 200;
    await expect(ask()).resolves.toEqual({ data: { asked: ASK } });
  });

  it.each([429, 500, 503, 473])('says that %i may pass, and no secret (P8)', async (status) => {
    await ask();
    vault.status = status;

    const failure: unknown = await ask().catch((error: unknown) => error);

    expect(failure).toBeInstanceOf(TransientError);
    const { cause } = failure as Error;
    expect(`${String(failure)} ${String(cause)}`).not.toMatch(/hvs|the-secret-id/);
  });

  it('says that nobody is there', async () => {
    session = new VaultSession({
      address: 'http://127.0.0.1:1',
      login: { method: 'approle', roleId: 'a', secretId: new Secret('b') },
    });

    await expect(ask()).rejects.toThrow(TransientError);
  });
});
