import type { Secret } from '@soma/kernel';
import type { DataKey, Envelope, SealContext } from './envelope.ts';
import type { SecretBackend, SecretLocation } from './secret-backend.ts';

/** How many secrets have their data key kept at hand. */
const DATA_KEYS_AT_HAND = 10_000;

/** The table of sealed secrets, as whoever has the database implements it. */
export interface SecretRows {
  /**
   * Adds a row under a version that the secret never had, not even before it was deleted. Rows that
   * are older than the ten newest are removed.
   *
   * @param seal - What to store under that version.
   */
  insert(location: SecretLocation, seal: (version: number) => string): Promise<number>;
  /** The version, or the newest one. */
  find(
    location: SecretLocation,
    version?: number,
  ): Promise<{ version: number; sealed: string } | undefined>;
  remove(location: SecretLocation): Promise<void>;
}

/**
 * What a secret's row is sealed for: put under another tenant, connection, field or version it does
 * not open.
 */
export function secretContext(location: SecretLocation, version: number): SealContext {
  const { tenantId, connection, field } = location;
  return ['catalog.secrets', tenantId, connection, field, String(version)];
}

/** Keeps secrets in our own database, sealed. */
export class EncryptedDatabase implements SecretBackend {
  readonly type = 'encrypted_database';

  constructor(
    private readonly rows: SecretRows,
    private readonly envelope: Envelope,
    private readonly dataKeys = new RecentDataKeys(envelope),
  ) {}

  /** The same, with rows that take part in a transaction. */
  on(rows: SecretRows): EncryptedDatabase {
    return new EncryptedDatabase(rows, this.envelope, this.dataKeys);
  }

  write(location: SecretLocation, value: Secret): Promise<number> {
    return this.rows.insert(location, this.sealing(location, value));
  }

  /** Seals a value for the version that it gets. For whoever writes the rows of many secrets at once. */
  sealing(location: SecretLocation, value: Secret): (version: number) => string {
    const dataKey = this.dataKeys.of(location);
    return (version) => dataKey.seal(value, secretContext(location, version));
  }

  async read(location: SecretLocation, version?: number): Promise<Secret | undefined> {
    const row = await this.rows.find(location, version);
    return row && this.envelope.open(row.sealed, secretContext(location, row.version));
  }

  async delete(location: SecretLocation, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await this.rows.remove(location);
  }
}

/** The data keys of the secrets that were written last: a token is refreshed again and again. */
class RecentDataKeys {
  readonly #byLocation = new Map<string, DataKey>();

  constructor(private readonly envelope: Envelope) {}

  of({ tenantId, connection, field }: SecretLocation): DataKey {
    const id = JSON.stringify([tenantId, connection, field]);
    const dataKey = this.#byLocation.get(id) ?? this.envelope.newDataKey();
    // A map keeps the order of insertion: the first is the one not used for longest.
    this.#byLocation.delete(id);
    this.#byLocation.set(id, dataKey);
    const [oldest] = this.#byLocation.keys();
    if (this.#byLocation.size > DATA_KEYS_AT_HAND && oldest !== undefined) {
      this.#byLocation.delete(oldest);
    }
    return dataKey;
  }
}
