import type { ConnectionHttp, CredentialPlace } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import type { OpenConnection } from './open-connection.ts';

/** What a request is made of. */
type Values = Pick<OpenConnection, 'fields' | 'credentials'>;

/** A request to what a connection leads to, with its credentials. */
export interface ConnectionRequest {
  url: URL;
  headers: Headers;
}

/**
 * Makes a request below a connection's base URL. Whoever sends it does so by `Outbound`: where it
 * leads is the tenant's to say.
 *
 * @param path - With its query, below the base URL; empty for the base URL itself.
 * @returns Undefined where the connection leads nowhere by HTTP.
 * @throws {@link Problem} 422 `connection_path_not_allowed`
 */
export function connectionRequest(
  connection: Values & { http: ConnectionHttp | null },
  path: string,
): ConnectionRequest | undefined {
  const { http } = connection;
  if (http === null) {
    return undefined;
  }
  const url = below(http, path);
  const request = { url, headers: new Headers(http.headers) };
  const root = new URL(http.base_url).pathname.replace(/\/+$/, '');
  http.credentials.forEach((place) => {
    putCredential({ ...request, root }, place, connection);
  });
  return request;
}

function below({ base_url, allowed_paths: allowed }: ConnectionHttp, path: string): URL {
  const url = urlBelow(base_url, path, allowed);
  if (url === undefined) {
    throw new Problem({
      status: 422,
      code: 'connection_path_not_allowed',
      detail: `Connections of this type reach ${allowed.join(', ')} and nothing else.`,
    });
  }
  return url;
}

/**
 * What is put behind a base URL may lead nowhere else: not to another host, and not upwards.
 *
 * @returns Undefined where it does, or where it is not below one of the allowed paths.
 */
export function urlBelow(base: string, path: string, allowed: readonly string[]): URL | undefined {
  const root = base.replace(/\/+$/, '');
  const url = new URL(root + path);
  const { origin, pathname } = new URL(`${root}/`);
  const rest = `/${url.pathname.slice(pathname.length)}`;
  const isBelow = url.origin === origin && url.pathname.startsWith(pathname) && !HIDDEN.test(rest);
  const isAllowed = path.startsWith('/') && isBelow && allowed.some((each) => isUnder(rest, each));
  return path === '' || isAllowed ? url : undefined;
}

/** Characters that some servers take for separators when they have decoded them. */
const HIDDEN = /%2f|%5c|%00/i;

function isUnder(path: string, allowed: string): boolean {
  return path === allowed || path.startsWith(allowed.endsWith('/') ? allowed : `${allowed}/`);
}

function putCredential(
  { url, headers, root }: ConnectionRequest & { root: string },
  place: CredentialPlace,
  values: Values,
): void {
  if (place.in === 'basic') {
    putBasic(headers, place, values);
    return;
  }
  const value = valueOf(values, place.field);
  if (value === undefined) {
    return;
  }
  switch (place.in) {
    case 'header':
      putHeader(headers, { ...place, value }, values);
      return;
    case 'query':
      url.searchParams.set(place.name, value);
      return;
    case 'path':
      url.pathname = belowRoot(url.pathname, root, place.prefix + inPath(value));
  }
}

/** A credential before a path stands behind that of the base URL. */
function belowRoot(path: string, root: string, credential: string): string {
  return root + credential + path.slice(root.length);
}

/** It stays one part of the path, whatever is in it; tokens of Telegram are known with their colon. */
function inPath(value: string): string {
  return encodeURIComponent(value).replaceAll('%3A', ':');
}

function putHeader(
  headers: Headers,
  place: Extract<CredentialPlace, { in: 'header' }> & { value: string },
  values: Values,
): void {
  const name = typeof place.name === 'string' ? place.name : valueOf(values, place.name.field);
  if (name !== undefined) {
    headers.set(name, (place.prefix ?? '') + place.value);
  }
}

function putBasic(
  headers: Headers,
  place: Extract<CredentialPlace, { in: 'basic' }>,
  values: Values,
): void {
  const username = place.username && valueOf(values, place.username);
  const password = valueOf(values, place.password);
  if (username !== undefined || password !== undefined) {
    headers.set('authorization', basic(username ?? '', password ?? ''));
  }
}

/** RFC 7617, in UTF-8. */
function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function valueOf({ fields, credentials }: Values, field: string): string | undefined {
  const plain = fields[field];
  return credentials.get(field)?.reveal() ?? (typeof plain === 'string' ? plain : undefined);
}
