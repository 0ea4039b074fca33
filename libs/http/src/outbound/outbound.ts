import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import { abortAfter, Problem, TransientError } from '@soma/kernel';
import { withSpan } from '@soma/observability';
import { Agent, type Dispatcher, fetch as undiciFetch } from 'undici';
import { AddressRules } from './address-rules.ts';
import { type AddressSource, HostResolver } from './host-resolver.ts';
import { limited, readWhole } from './limited-body.ts';
import { connectVia, urlRefused } from './pinned-connector.ts';
import { type Hop, redirectedHop, redirectRefused } from './redirect.ts';

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_MAX_BYTES = 10 * 1024 * 1024;
const MAX_REDIRECTS = 5;

/** A request to somebody outside, as `fetch` takes it. */
export interface OutboundRequest {
  method?: string;
  headers?: ConstructorParameters<typeof Headers>[0];
  body?: string | Uint8Array | URLSearchParams | null;
  /** `follow` goes at most five times elsewhere; `manual` answers the redirect itself. */
  redirect?: 'follow' | 'manual' | 'error';
  signal?: AbortSignal | null;
  /** How long all of it may take, the body too. By default 30 s. */
  timeoutMs?: number;
  /** How long the answer's body may be, unpacked. By default 10 MiB. */
  maxBytes?: number;
}

/** One request, and no other at another address. */
export interface OutboundExchange extends Pick<
  OutboundRequest,
  'method' | 'headers' | 'signal' | 'timeoutMs' | 'maxBytes'
> {
  body?: string | undefined;
}

/** An answer that was read whole. */
export interface WholeAnswer {
  status: number;
  headers: Headers;
  body: string;
}

/** Who may be reached besides the public internet. */
export interface OutboundOptions {
  allowedHosts: readonly string[];
  /** Where names are looked up; by default in the DNS of this machine. */
  dns?: AddressSource;
}

/** A host that may be connected to, at the address which was looked at. */
export interface PinnedHost {
  /** Connect to this and to nothing else. */
  address: string;
  /** The name that the other side's certificate must have. An address has none. */
  servername: string | undefined;
  /** Whether the operator allowed it; otherwise it is on the public internet. */
  isInternal: boolean;
}

/**
 * The way out to everything that a tenant names: URLs, mail servers, databases.
 *
 * A tenant could name what only we can reach, such as a database of ours or the metadata service of
 * the cloud. So a name is looked up once, each of its addresses is judged, and the connection goes to
 * an address that was judged. This happens where connections begin, hence also for every redirect.
 */
export class Outbound {
  readonly #resolver: HostResolver;
  readonly #agent: Agent;

  constructor({ allowedHosts, dns }: OutboundOptions) {
    this.#resolver = new HostResolver(new AddressRules(allowedHosts), dns);
    this.#agent = new Agent({ connect: connectVia(this.#resolver) });
  }

  /**
   * Like `fetch`, for URLs that a tenant gave.
   *
   * @returns Any answer, also one that tells of an error.
   * @throws {@link Problem} 422 `outbound_url_refused`, `outbound_address_refused` or
   *   `outbound_redirect_refused`
   * @throws {@link TransientError} when the other side cannot be reached, or not in time
   */
  async fetch(address: string | URL, request: OutboundRequest = {}): Promise<Response> {
    const hop = firstHop(address, request);
    const response = await observed(hop, request.signal, () => this.#follow(hop, request));
    return limited(response, request.maxBytes ?? DEFAULT_MAX_BYTES);
  }

  /**
   * As {@link fetch}, at a fraction of its cost: for short answers that thousands ask for. It follows no
   * redirect and unpacks nothing.
   */
  async exchange(address: string | URL, request: OutboundExchange = {}): Promise<WholeAnswer> {
    const hop = firstHop(address, request);
    return observed(hop, request.signal, () => this.#exchange(hop, request));
  }

  /**
   * For connections that are not HTTP.
   *
   * @throws {@link Problem} 422 `outbound_address_refused`
   * @throws {@link TransientError} when the name has no address right now
   */
  async resolveSafely(host: string): Promise<PinnedHost> {
    const { addresses, isInternal } = await this.#resolver.resolve(host);
    // There is always one.
    const [{ address }] = addresses as [LookupAddress];
    return { address, servername: isIP(host) === 0 ? host : undefined, isInternal };
  }

  /** Ends the connections that wait for another request. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #follow(first: Hop, request: OutboundRequest): Promise<Response> {
    const { redirect, timeoutMs = DEFAULT_TIMEOUT_MS } = request;
    const signal = abortAfter(timeoutMs, request.signal ?? undefined);
    let hop = first;
    for (let followed = 0; followed <= MAX_REDIRECTS; followed++) {
      const response = await this.#send(hop, signal);
      const next = redirect === 'manual' ? undefined : redirectedHop(hop, response);
      if (next === undefined) {
        return response;
      }
      await response.body?.cancel();
      if (redirect === 'error') break;
      hop = next;
    }
    throw redirectRefused('No redirect, or no further one, is expected here.');
  }

  async #exchange(
    { url, method, headers }: Hop,
    {
      body,
      maxBytes = DEFAULT_MAX_BYTES,
      timeoutMs = DEFAULT_TIMEOUT_MS,
      signal,
    }: OutboundExchange,
  ): Promise<WholeAnswer> {
    checkUrl(url);
    headers.set('accept-encoding', 'identity');
    const answer = await this.#agent.request({
      ...{ origin: url.origin, path: `${url.pathname}${url.search}`, headers, body: body ?? null },
      method: method,
      signal: abortAfter(timeoutMs, signal ?? undefined),
    });
    return {
      status: answer.statusCode,
      headers: headersOf(answer.headers),
      body: await readWhole(answer.body, maxBytes),
    };
  }

  async #send({ url, method, headers, body }: Hop, signal: AbortSignal): Promise<Response> {
    checkUrl(url);
    return undiciFetch(url, {
      ...{ method, body: body ?? null, signal, redirect: 'manual', dispatcher: this.#agent },
      headers: [...headers],
    });
  }
}

/** Runs a request under a span, and turns what it fails with into what callers know. */
function observed<Answer>(
  { method, url }: Hop,
  signal: AbortSignal | null | undefined,
  send: () => Promise<Answer>,
): Promise<Answer> {
  const attributes = { 'http.request.method': method, 'server.address': url.host };
  return withSpan({ name: `${method} outside`, kind: 'client', attributes }, () =>
    send().catch((error: unknown) => {
      signal?.throwIfAborted();
      // Not the path: at some APIs the credential stands in it.
      throw outcomeOf(error, `${method} ${url.origin}`);
    }),
  );
}

function headersOf(received: Dispatcher.ResponseData['headers']): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(received)) {
    for (const each of [value ?? []].flat()) headers.append(name, each);
  }
  return headers;
}

function firstHop(address: string | URL, request: OutboundRequest | OutboundExchange): Hop {
  const url = URL.parse(String(address));
  if (url === null) {
    throw urlRefused('It is no address of the web.');
  }
  const { method = 'GET', headers, body } = request;
  return {
    url,
    method: method.toUpperCase(),
    headers: new Headers(headers),
    body: body ?? undefined,
  };
}

function checkUrl(url: URL): void {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw urlRefused('It must begin with https://.');
  }
  if (url.username !== '' || url.password !== '') {
    throw urlRefused('Credentials do not belong into an address.');
  }
}

/** What we throw where a connection begins comes out as the cause of undici's own error. */
function outcomeOf(error: unknown, tried: string): unknown {
  const reason = (error as { cause?: unknown } | undefined)?.cause ?? error;
  return (
    [reason, error].find((each) => each instanceof Problem || each instanceof TransientError) ??
    new TransientError(tried, { cause: error })
  );
}
