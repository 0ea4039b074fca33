import { createHash } from 'node:crypto';
import { abortAfter, Secret, TransientError } from '@soma/kernel';
import { GoogleAuth } from 'google-auth-library';
import { z } from 'zod';
import type { SecretBackend, SecretLocation } from './secret-backend.ts';

const TIMEOUT_MS = 5_000;
const VERSIONS_KEPT = 10;
const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';

/** Whose Secret Manager keeps secrets. */
export interface GcpSecretsOptions {
  projectId: string;
  /** Another address than Google's, for tests. */
  endpoint?: string;
}

interface Answer {
  status: number;
  body: unknown;
}

const added = z.object({ name: z.string().regex(/\/versions\/\d+$/) });
const accessed = z.object({ payload: z.object({ data: z.base64() }) });

/**
 * Keeps secrets in Google Cloud Secret Manager, by its REST interface (version 1). The versions are
 * Google's own. As whom the process acts, Google's library finds out as everywhere: by the account of
 * the pod, or by the file that `GOOGLE_APPLICATION_CREDENTIALS` names.
 */
export class GcpSecrets implements SecretBackend {
  readonly type = 'gcp_secret_manager';
  readonly #auth = new GoogleAuth({ scopes: [SCOPE] });
  readonly #secrets: string;

  constructor({ projectId, endpoint = 'https://secretmanager.googleapis.com' }: GcpSecretsOptions) {
    this.#secrets = `${endpoint}/v1/projects/${encodeURIComponent(projectId)}/secrets`;
  }

  async write(location: SecretLocation, value: Secret): Promise<number> {
    const data = Buffer.from(value.reveal(), 'utf8').toString('base64');
    const path = `/${idOf(location)}:addVersion`;
    const first = await this.#request('POST', path, { body: { payload: { data } } });
    if (first.status !== 404) return this.#added(location, expectOk(first));
    await this.#create(location);
    return this.#added(
      location,
      expectOk(await this.#request('POST', path, { body: { payload: { data } } })),
    );
  }

  async read(location: SecretLocation, version?: number): Promise<Secret | undefined> {
    const name = `/${idOf(location)}/versions/${version ?? 'latest'}`;
    const answer = await this.#request('GET', `${name}:access`);
    // 400: it was destroyed.
    if (answer.status === 404 || answer.status === 400) return undefined;
    const { payload } = accessed.parse(expectOk(answer));
    return new Secret(Buffer.from(payload.data, 'base64').toString('utf8'));
  }

  async delete(location: SecretLocation, signal?: AbortSignal): Promise<void> {
    const answer = await this.#request('DELETE', `/${idOf(location)}`, { signal });
    if (answer.status !== 404) expectOk(answer);
  }

  async #create(location: SecretLocation): Promise<void> {
    const { tenantId, connection, field } = location;
    const body = {
      replication: { automatic: {} },
      // Its id says nothing to people.
      annotations: { soma_tenant: tenantId, soma_connection: connection, soma_field: field },
    };
    const answer = await this.#request('POST', `?secretId=${idOf(location)}`, { body });
    // 409: somebody else has made it meanwhile.
    if (answer.status !== 409) expectOk(answer);
  }

  /** Google keeps every version for ever, and charges for it. */
  async #added(location: SecretLocation, body: unknown): Promise<number> {
    const version = Number(added.parse(body).name.split('/').at(-1));
    const oldest = version - VERSIONS_KEPT;
    if (oldest > 0) {
      const path = `/${idOf(location)}/versions/${oldest}:destroy`;
      const answer = await this.#request('POST', path, { body: {} });
      // 400: it is destroyed already.
      if (answer.status !== 404 && answer.status !== 400) expectOk(answer);
    }
    return version;
  }

  async #request(
    method: string,
    path: string,
    { body, signal }: { body?: object; signal?: AbortSignal | undefined } = {},
  ): Promise<Answer> {
    try {
      const token = await this.#auth.getAccessToken();
      const answer = await fetch(`${this.#secrets}${path}`, {
        method,
        headers: { authorization: `Bearer ${token ?? ''}`, 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
        // A redirect would carry the token to somebody else.
        redirect: 'error',
        signal: abortAfter(TIMEOUT_MS, signal),
      });
      return { status: answer.status, body: await answer.json() };
    } catch (cause) {
      throw new TransientError('A request to Google', { cause });
    }
  }
}

/** What it answers may quote what was sent, so that only the status is told. */
function expectOk({ status, body }: Answer): unknown {
  if (status < 300) return body;
  const error = new Error(`Google Cloud Secret Manager answered ${status}.`);
  const isTransient = status >= 500 || status === 429;
  throw isTransient ? new TransientError('A request to Google', { cause: error }) : error;
}

/** An id may have no dot and a tenant may, so that it is a hash. */
function idOf({ tenantId, connection, field }: SecretLocation): string {
  const text = JSON.stringify([tenantId, connection, field]);
  return `soma-${createHash('sha256').update(text).digest('base64url')}`;
}
