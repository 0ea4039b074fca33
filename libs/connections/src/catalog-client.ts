import type { ServiceTokens } from '@soma/auth';
import {
  type ConnectionLease,
  connectionLease,
  type ConnectionPermit,
  connectionPermit,
  type ConnectionUsagePath,
  type PermitPath,
  type Principal,
  type ResolveConnectionRequest,
} from '@soma/contracts';
import { type InternalRequest, internalFetch } from '@soma/http';
import { Problem } from '@soma/kernel';
import { z } from 'zod';

const AUDIENCE = 'connection-catalog';

/** Longer than a token takes that is refreshed first. */
const TIMEOUT_MS = 35_000;

const problemDocument = z.object({ code: z.string(), detail: z.string() });

/** How long somebody waits for a permit. */
export interface PermitWish {
  deadlineMs: number;
  /** Aborts when nobody waits any more. */
  signal?: AbortSignal | undefined;
}

/** Asks the connection catalog, as this service and on behalf of a principal. */
export class CatalogClient {
  readonly #url: string;
  readonly #tokens: ServiceTokens;

  /** @param url - Where the catalog is. */
  constructor(url: string, tokens: ServiceTokens) {
    this.#url = url;
    this.#tokens = tokens;
  }

  /**
   * @throws {@link Problem} as the catalog answers it, such as 404 `connection_not_found`
   * @throws {@link TransientError} when the catalog does not answer
   */
  async resolve(principal: Principal, request: ResolveConnectionRequest): Promise<ConnectionLease> {
    const response = await this.#ask(principal, '/resolve', { method: 'POST', body: request });
    return connectionLease.parse(await response.json());
  }

  /** Notes that something depends on a connection, which then is not deleted by mistake. */
  async addUsage(principal: Principal, usage: ConnectionUsagePath): Promise<void> {
    await this.#ask(principal, usagePath(usage), { method: 'PUT' });
  }

  async removeUsage(principal: Principal, usage: ConnectionUsagePath): Promise<void> {
    await this.#ask(principal, usagePath(usage), { method: 'DELETE' });
  }

  /**
   * Waits in line for a permit to use a connection once.
   *
   * @throws {@link TransientError} when there is none in time, with the time to come again
   */
  async takePermit(
    principal: Principal,
    name: string,
    { deadlineMs, signal }: PermitWish,
  ): Promise<ConnectionPermit> {
    const response = await this.#ask(principal, `/${name}/permits`, {
      method: 'POST',
      body: { deadline_ms: deadlineMs },
      ...(signal && { signal }),
    });
    return connectionPermit.parse(await response.json());
  }

  async renewPermit(principal: Principal, permit: PermitPath): Promise<void> {
    await this.#ask(principal, permitPath(permit), { method: 'PUT' });
  }

  async releasePermit(principal: Principal, permit: PermitPath): Promise<void> {
    await this.#ask(principal, permitPath(permit), { method: 'DELETE' });
  }

  /** Has all who use a connection wait, since the other side said when to come again. */
  async pause(principal: Principal, name: string, forMs: number): Promise<void> {
    const body = { retry_after_ms: Math.ceil(forMs) };
    await this.#ask(principal, `/${name}/pauses`, { method: 'POST', body });
  }

  async #ask(
    principal: Principal,
    path: string,
    request: Pick<InternalRequest, 'method' | 'body' | 'signal'>,
  ): Promise<Response> {
    const response = await internalFetch(new URL(`/internal/v1/connections${path}`, this.#url), {
      ...request,
      timeoutMs: TIMEOUT_MS,
      token: () => this.#tokens.tokenFor(AUDIENCE),
      headers: await this.#tokens.principalHeader(AUDIENCE, principal),
    });
    if (response.ok) {
      return response;
    }
    throw await toProblem(response);
  }
}

function permitPath({ name, permit_id }: PermitPath): string {
  return `/${name}/permits/${permit_id}`;
}

function usagePath({ name, used_by, id }: ConnectionUsagePath): string {
  return `/${name}/usages/${used_by}/${encodeURIComponent(id)}`;
}

/** What the catalog refuses it refuses in words that partners may read. */
async function toProblem(response: Response): Promise<Problem> {
  const body: unknown = await response.json().catch(() => undefined);
  const { success, data } = problemDocument.safeParse(body);
  return success && response.status !== 401
    ? new Problem({ status: response.status, ...data })
    : new Problem({
        status: 502,
        code: 'connection_catalog_failed',
        detail: `The connection catalog answered ${response.status}.`,
      });
}
