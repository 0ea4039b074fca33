import type { ConnectionHttp, ConnectionLease } from '@soma/contracts';
import { Secret } from '@soma/kernel';

/** A connection as it is now, for whoever uses it at once. */
export interface OpenConnection {
  connectionId: string;
  name: string;
  type: string;
  /** What is not secret. */
  fields: Readonly<Record<string, unknown>>;
  credentials: ReadonlyMap<string, Secret>;
  /** How to ask it by HTTP, as `connectionRequest` does; null where it does not speak that. */
  http: ConnectionHttp | null;
  /** Requests a minute. */
  rateLimitRpm: number;
  version: number;
}

/** Takes the credentials of a lease out of the text. */
export function openConnection(lease: ConnectionLease): OpenConnection {
  const credentials = Object.entries(lease.credentials);
  return {
    connectionId: lease.connection_id,
    name: lease.name,
    type: lease.type,
    fields: lease.fields,
    credentials: new Map(credentials.map(([field, value]) => [field, new Secret(value)])),
    http: lease.http,
    rateLimitRpm: lease.rate_limit_rpm,
    version: lease.version,
  };
}
