import type { ConnectionHttp } from '@soma/contracts';
import type { ConnectionType, FieldValues } from './connection-type.ts';

/** How to ask what a connection leads to; null where its type or its fields name no base URL. */
export function httpOf({ http }: ConnectionType, fields: FieldValues): ConnectionHttp | null {
  const base = typeof http?.baseUrl === 'string' ? http.baseUrl : baseUrlOf(http?.baseUrl, fields);
  if (http === undefined || base === undefined) {
    return null;
  }
  const { headers = {}, credentials, allowedPaths = ['/'] } = http;
  return {
    base_url: base,
    headers: { ...headers },
    credentials: [...credentials],
    allowed_paths: [...allowedPaths],
  };
}

function baseUrlOf(
  place: { field: string; default?: string } | undefined,
  fields: FieldValues,
): string | undefined {
  const value = place && fields[place.field];
  return typeof value === 'string' ? value : place?.default;
}
