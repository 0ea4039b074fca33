import { readFile } from 'node:fs/promises';
import { abortAfter, ConfigError, Secret, TransientError } from '@soma/kernel';
import { z } from 'zod';

const TIMEOUT_MS = 3_000;
/** A token is renewed once this part of its life is over; the rest bridges a failing Vault. */
const RENEW_AFTER = 2 / 3;
/** A token this young was not revoked: what it is refused, the policy refuses. */
const YOUNG_MS = 10_000;
const LOOK_UP = 'auth/token/lookup-self';
/** Where Kubernetes puts the token of a pod's service account. */
const SERVICE_ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/** How this service proves itself to Vault. */
export type VaultLogin =
  | { method: 'token'; token: Secret }
  | { method: 'approle'; roleId: string; secretId: Secret }
  | { method: 'kubernetes'; role: string; tokenFile?: string };

/** Where a Vault is, and how to get in. */
export interface VaultOptions {
  address: string;
  login: VaultLogin;
}

const authResponse = z.object({
  auth: z.object({
    client_token: z.string(),
    lease_duration: z.number(),
    renewable: z.boolean(),
  }),
});

const ownToken = z.object({ data: z.object({ ttl: z.number(), renewable: z.boolean() }) });

/** Vault refused. Its own words may quote what was sent, so that only the status is told. */
export class VaultError extends Error {
  override readonly name = 'VaultError';

  constructor(
    readonly status: number,
    path: string,
  ) {
    super(`Vault answered ${status} to ${path}.`);
  }
}

interface Lease {
  token: Secret;
  isRenewable: boolean;
  since: number;
  renewAt: number;
  expiresAt: number;
}

/**
 * A signed-in connection to HashiCorp Vault.
 *
 * The token is renewed when a request finds that most of its life is over, and replaced when it
 * cannot be renewed any more; requests that come together cause one renewal.
 */
export class VaultSession {
  private lease: Lease | undefined;
  private renewal: Promise<Lease> | undefined;

  constructor(private readonly options: VaultOptions) {}

  /**
   * One request. It must be safe to send twice.
   *
   * @throws {@link TransientError} when Vault does not answer, or cannot right now, and
   *   {@link VaultError} when it refuses.
   */
  async request(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    { body, signal }: { body?: object; signal?: AbortSignal | undefined } = {},
  ): Promise<unknown> {
    const lease = await this.leased();
    const answer = await this.send(method, path, { body, signal, token: lease.token });
    const isYoung = Date.now() - lease.since < YOUNG_MS;
    if (answer.status !== 403 || isYoung) {
      return readAnswer(answer, path);
    }
    // Revoked before its time, as when Vault was restored. Where a new one is refused too, it is the
    // policy that refuses.
    await answer.body?.cancel();
    // Unless another request has got a new one meanwhile.
    if (this.lease === lease) this.lease = undefined;
    const { token } = await this.leased();
    return readAnswer(await this.send(method, path, { body, signal, token }), path);
  }

  private async leased(): Promise<Lease> {
    const held = this.lease;
    if (held !== undefined && Date.now() < held.renewAt) {
      return held;
    }
    this.renewal ??= this.renew(held).finally(() => {
      this.renewal = undefined;
    });
    try {
      return await this.renewal;
    } catch (error) {
      if (held !== undefined && Date.now() < held.expiresAt) {
        return held;
      }
      throw error;
    }
  }

  private async renew(held: Lease | undefined): Promise<Lease> {
    const renewed =
      held?.isRenewable === true && Date.now() < held.expiresAt
        ? await this.renewSelf(held.token)
        : undefined;
    this.lease = renewed ?? (await this.signIn());
    return this.lease;
  }

  /** Nothing when Vault does not prolong it: at its longest life a token needs a successor. */
  private async renewSelf(token: Secret): Promise<Lease | undefined> {
    const askedAt = Date.now();
    const answer = await this.send('POST', 'auth/token/renew-self', { body: {}, token });
    if (answer.status === 403 || answer.status === 400) {
      await answer.body?.cancel();
      return undefined;
    }
    const lease = leaseOf(await readAnswer(answer, 'auth/token/renew-self'), askedAt);
    // Close to its longest life it is prolonged by less and less.
    return lease.renewAt - askedAt < 1_000 ? undefined : lease;
  }

  private async signIn(): Promise<Lease> {
    const { login } = this.options;
    if (login.method === 'token') return this.useToken(login.token);
    const askedAt = Date.now();
    const path = `auth/${login.method}/login`;
    const answer = await this.send('POST', path, { body: await credentialsOf(login) });
    return leaseOf(await readAnswer(answer, path), askedAt);
  }

  /** One that somebody else made: how long it lives is asked. */
  private async useToken(token: Secret): Promise<Lease> {
    const askedAt = Date.now();
    const answer = await this.send('GET', LOOK_UP, { token });
    const { data } = ownToken.parse(await readAnswer(answer, LOOK_UP));
    // A root token lives for ever, and says so with 0.
    const lifeMs = data.ttl === 0 ? Infinity : data.ttl * 1000;
    return leaseFrom(askedAt, { token, lifeMs, isRenewable: data.renewable });
  }

  private async send(
    method: string,
    path: string,
    {
      body,
      signal,
      token,
    }: { body?: object | undefined; signal?: AbortSignal | undefined; token?: Secret },
  ): Promise<Response> {
    const request = {
      method,
      headers: {
        'content-type': 'application/json',
        'x-vault-request': 'true',
        ...(token && { 'x-vault-token': token.reveal() }),
      },
      ...(body && { body: JSON.stringify(body) }),
      // A redirect would carry the token to somebody else.
      redirect: 'error' as const,
      signal: abortAfter(TIMEOUT_MS, signal),
    };
    const url = `${this.options.address.replace(/\/$/, '')}/v1/${path}`;
    return fetch(url, request).catch((cause: unknown) => {
      throw new TransientError('A request to Vault', { cause });
    });
  }
}

async function credentialsOf(login: Exclude<VaultLogin, { method: 'token' }>): Promise<object> {
  if (login.method === 'approle') {
    return { role_id: login.roleId, secret_id: login.secretId.reveal() };
  }
  const file = login.tokenFile ?? SERVICE_ACCOUNT_TOKEN;
  // Read each time: Kubernetes replaces it.
  const jwt = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new ConfigError('The token of the pod’s service account cannot be read.', { cause });
  });
  return { role: login.role, jwt: jwt.trim() };
}

function leaseOf(body: unknown, askedAt: number): Lease {
  const { auth } = authResponse.parse(body);
  return leaseFrom(askedAt, {
    token: new Secret(auth.client_token),
    lifeMs: auth.lease_duration * 1000,
    isRenewable: auth.renewable,
  });
}

function leaseFrom(
  askedAt: number,
  { token, lifeMs, isRenewable }: { token: Secret; lifeMs: number; isRenewable: boolean },
): Lease {
  return {
    token,
    isRenewable,
    since: askedAt,
    renewAt: askedAt + lifeMs * RENEW_AFTER,
    expiresAt: askedAt + lifeMs,
  };
}

async function readAnswer(answer: Response, path: string): Promise<unknown> {
  if (answer.ok) {
    const text = await answer.text();
    return text === '' ? undefined : JSON.parse(text);
  }
  await answer.body?.cancel();
  const error = new VaultError(answer.status, path);
  // 412: not all its nodes know yet what it wrote last. 473: it is a standby.
  const isTransient = answer.status >= 500 || [412, 429, 473].includes(answer.status);
  throw isTransient ? new TransientError('A request to Vault', { cause: error }) : error;
}
