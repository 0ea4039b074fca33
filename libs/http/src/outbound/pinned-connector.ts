import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Problem } from '@soma/kernel';
import { buildConnector } from 'undici';
import type { HostResolver } from './host-resolver.ts';

const CONNECT_TIMEOUT_MS = 10_000;

/** Connects to the addresses that were judged, and asks for none again. */
export function connectVia(resolver: HostResolver): buildConnector.connector {
  return (options, callback) => {
    resolver.resolve(options.hostname).then(
      ({ addresses, isInternal }) => {
        if (options.protocol !== 'https:' && !isInternal) {
          // Credentials go out unprotected inside of the operator's own network alone.
          callback(urlRefused('Outside of our own network it must begin with https://.'), null);
          return;
        }
        const lookup = pinnedTo(addresses);
        const connect = { timeout: CONNECT_TIMEOUT_MS, allowH2: false, lookup };
        buildConnector(connect)(options, callback);
      },
      (error: unknown) => {
        callback(error as Error, null);
      },
    );
  };
}

function pinnedTo(addresses: readonly LookupAddress[]): LookupFunction {
  return (_host, { all }, callback) => {
    const [first] = addresses;
    if (all === true || first === undefined) {
      callback(null, [...addresses]);
    } else {
      callback(null, first.address, first.family);
    }
  };
}

export function urlRefused(reason: string): Problem {
  return new Problem({
    status: 422,
    code: 'outbound_url_refused',
    detail: `The address cannot be used. ${reason}`,
  });
}
