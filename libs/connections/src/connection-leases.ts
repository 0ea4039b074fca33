import {
  type ConfigUpdate,
  type ConnectionLease,
  type ConnectionPurpose,
  connectionPurpose,
  type Principal,
} from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { LRUCache } from 'lru-cache';
import { type OpenConnection, openConnection } from './open-connection.ts';

/** How many connections a process holds. The one that was not used for longest goes. */
const MAX_HELD = 1_000;

/** How long it is remembered that there is no such connection, unless one is heard of. */
const MISSING_MS = 10_000;

/** Which connection of the principal's tenant, and what for. */
export interface ConnectionUse {
  name: string;
  purpose: ConnectionPurpose;
}

/** What resolves connections, as `CatalogClient` does. */
interface Resolver {
  resolve: (principal: Principal, use: ConnectionUse) => Promise<ConnectionLease>;
}

/** What tells of changes, as `ConfigUpdatesReader` does. */
interface Updates {
  listen: (listener: (update: ConfigUpdate) => void) => void;
}

interface Held {
  connection: Promise<OpenConnection>;
  /** In the time of `performance.now()`; Infinity while it is being resolved. */
  endsAt: number;
}

/**
 * Connections that this process uses: each is resolved once, however many ask for it, and held while
 * its lease lasts and nothing is heard of a change.
 *
 * An answer that was on its way when a change was heard goes to those who waited for it, and to nobody
 * who asks later.
 */
export class ConnectionLeases {
  readonly #resolver: Resolver;
  readonly #held = new LRUCache<string, Held>({ max: MAX_HELD });

  constructor(resolver: Resolver, updates: Updates) {
    this.#resolver = resolver;
    updates.listen((update) => {
      this.#hear(update);
    });
  }

  /** @throws as `CatalogClient.resolve` does */
  find(principal: Principal, use: ConnectionUse): Promise<OpenConnection> {
    const key = `${use.purpose}:${principal.tenant_id}:${use.name}`;
    const held = this.#held.get(key);
    if (held !== undefined && performance.now() < held.endsAt) {
      return held.connection;
    }
    return this.#resolve(key, principal, use);
  }

  #resolve(key: string, principal: Principal, use: ConnectionUse): Promise<OpenConnection> {
    const askedAt = performance.now();
    const answer = this.#resolver.resolve(principal, use);
    const held: Held = { connection: answer.then(openConnection), endsAt: Infinity };
    this.#held.set(key, held);
    answer.then(
      ({ expires_in }) => {
        held.endsAt = askedAt + expires_in * 1000;
      },
      (error: unknown) => {
        if (isMissing(error)) {
          held.endsAt = askedAt + MISSING_MS;
        } else {
          this.#drop(key, held);
        }
      },
    );
    return held.connection;
  }

  #hear({ entity, id }: ConfigUpdate): void {
    if (entity !== 'connection') {
      return;
    }
    for (const purpose of connectionPurpose.options) {
      this.#held.delete(`${purpose}:${id}`);
    }
  }

  /** Unless another one has taken its place. */
  #drop(key: string, held: Held): void {
    if (this.#held.get(key) === held) {
      this.#held.delete(key);
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Problem && error.code === 'connection_not_found';
}
