import { processUser } from '@soma/kernel';
import { AuditOutbox } from '@soma/messaging';
import {
  type DatabaseOptions,
  openDataSource,
  SweepTransaction,
  TenantTransaction,
} from '@soma/persistence';
import { type Envelope, secretContext, UnsealError } from '@soma/secrets';

/** How many rows one transaction holds. */
const ROWS_AT_ONCE = 500;
const MOST_PASSES = 10;

/** What lies under one master key. */
export interface MasterKeyLine {
  master_key_id: string;
  /** `seals`: it wraps what is written now. `reads`: it is known besides. `unknown`: nobody has it. */
  state: 'seals' | 'reads' | 'unknown';
  secrets: number;
  /** How many of them did not open: they were altered or moved, or their key is unknown. */
  unreadable: number;
}

interface Row {
  tenant_id: string;
  connection_id: string;
  field: string;
  version: number;
  sealed: string;
  master_key_id: string;
}

type Place = Pick<Row, 'tenant_id' | 'connection_id' | 'field' | 'version'>;

const BEFORE_ALL: Place = {
  tenant_id: '',
  connection_id: '00000000-0000-0000-0000-000000000000',
  field: '',
  version: 0,
};

/** The sealed secrets of all tenants in a database, for whoever has the role of the catalog there. */
export class StoredSecrets implements AsyncDisposable {
  readonly #dataSource: Awaited<ReturnType<typeof openDataSource>>;
  readonly #transaction: SweepTransaction;
  readonly #envelope: Envelope;

  private constructor(dataSource: Awaited<ReturnType<typeof openDataSource>>, envelope: Envelope) {
    this.#dataSource = dataSource;
    this.#transaction = new SweepTransaction(dataSource, 'connection_catalog_sweep');
    this.#envelope = envelope;
  }

  static async open(options: DatabaseOptions, envelope: Envelope): Promise<StoredSecrets> {
    const dataSource = await openDataSource({ ...options, poolSize: 2 });
    return new StoredSecrets(dataSource, envelope);
  }

  /**
   * Has the audit log say who replaces the master key. A pod of the catalog brings the line there.
   *
   * @param operatorTenant - Whose log has it: the key is that of all tenants.
   */
  async announceRotation(operatorTenant: string): Promise<void> {
    await new TenantTransaction(this.#dataSource).run(operatorTenant, (manager) =>
      new AuditOutbox('catalog').append(manager, {
        tenant_id: operatorTenant,
        actor: { subject: processUser(), address: null },
        action: 'master_key.rotation_requested',
        target: { type: 'master_key', id: this.#envelope.masterKeyId },
        outcome: 'success',
        request_id: null,
        details: {},
      }),
    );
  }

  /** Opens every secret, and tells under which master keys they are. */
  async status(): Promise<MasterKeyLine[]> {
    const lines = new Map<string, MasterKeyLine>();
    for await (const row of this.#all()) {
      const line = lines.get(row.master_key_id) ?? this.#newLine(row.master_key_id);
      lines.set(row.master_key_id, line);
      line.secrets += 1;
      if (!this.#opens(row)) line.unreadable += 1;
    }
    return [...lines.values()].sort((one, other) => other.secrets - one.secrets);
  }

  /**
   * Wraps what other keys wrapped with the key that seals now. It can be cut off at any time and
   * started again: the rows say what is left. Rows that do not open stay as they are.
   *
   * @returns How many were wrapped anew.
   */
  async rotate(): Promise<number> {
    let total = 0;
    // What somebody held in one pass is found in the next. Pods that seal with another key than this
    // tool would give it work for ever.
    for (let pass = 0; pass < MOST_PASSES; pass += 1) {
      const wrapped = await this.#rotateOnce();
      total += wrapped;
      if (wrapped === 0) break;
    }
    return total;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dataSource.destroy();
  }

  async #rotateOnce(): Promise<number> {
    let [wrapped, after]: [number, Place | undefined] = [0, BEFORE_ALL];
    while (after !== undefined) {
      const batch = await this.#rotateBatch(after);
      wrapped += batch.wrapped;
      after = batch.last;
    }
    return wrapped;
  }

  #rotateBatch(after: Place): Promise<{ wrapped: number; last: Place | undefined }> {
    return this.#transaction.run(async (manager) => {
      const rows = await manager.query<Row[]>(OTHERS, [
        ...toKey(after),
        this.#envelope.masterKeyId,
        ROWS_AT_ONCE,
      ]);
      const rewrapped = rows.filter((row) => this.#rewrap(row));
      await manager.query(STORE, [
        rewrapped.map(({ tenant_id }) => tenant_id),
        rewrapped.map(({ connection_id }) => connection_id),
        rewrapped.map(({ field }) => field),
        rewrapped.map(({ version }) => version),
        rewrapped.map(({ sealed }) => sealed),
      ]);
      return { wrapped: rewrapped.length, last: rows.at(-1) };
    });
  }

  /** Changes the row at hand, where it opens. */
  #rewrap(row: Row): boolean {
    try {
      row.sealed = this.#envelope.rewrap(row.sealed, contextOf(row));
      return true;
    } catch (error) {
      if (error instanceof UnsealError) return false;
      throw error;
    }
  }

  async *#all(): AsyncGenerator<Row> {
    let after: Place | undefined = BEFORE_ALL;
    while (after !== undefined) {
      const values: unknown[] = [...toKey(after), ROWS_AT_ONCE];
      const rows = await this.#transaction.run((manager) => manager.query<Row[]>(ALL, values));
      yield* rows;
      after = rows.at(-1);
    }
  }

  #opens(row: Row): boolean {
    try {
      this.#envelope.open(row.sealed, contextOf(row));
      return true;
    } catch (error) {
      if (error instanceof UnsealError) return false;
      throw error;
    }
  }

  #newLine(master_key_id: string): MasterKeyLine {
    const known = this.#envelope.knows(master_key_id) ? 'reads' : 'unknown';
    const state = master_key_id === this.#envelope.masterKeyId ? 'seals' : known;
    return { master_key_id, state, secrets: 0, unreadable: 0 };
  }
}

function toKey({ tenant_id, connection_id, field, version }: Place): unknown[] {
  return [tenant_id, connection_id, field, version];
}

function contextOf(row: Row): ReturnType<typeof secretContext> {
  const { tenant_id: tenantId, connection_id: connection, field } = row;
  return secretContext({ tenantId, connection, field }, row.version);
}

const COLUMNS = 'tenant_id, connection_id, field, version, sealed, master_key_id';
const KEY = '(tenant_id, connection_id, field, version)';
const IS_AFTER = `${KEY} > ($1, $2::uuid, $3, $4::int)`;

const ALL = `
  SELECT ${COLUMNS} FROM catalog.secrets WHERE ${IS_AFTER} ORDER BY ${KEY} LIMIT $5`;

// A row that a request holds is left for the next pass: waiting for it could end in a deadlock, which
// the request might lose.
const OTHERS = `
  SELECT ${COLUMNS} FROM catalog.secrets WHERE ${IS_AFTER} AND master_key_id <> $5
   ORDER BY ${KEY} LIMIT $6 FOR UPDATE SKIP LOCKED`;

const STORE = `
  UPDATE catalog.secrets AS secret SET sealed = wrapped.sealed
    FROM unnest($1::text[], $2::uuid[], $3::text[], $4::int[], $5::text[])
         AS wrapped (tenant_id, connection_id, field, version, sealed)
   WHERE secret.tenant_id = wrapped.tenant_id AND secret.connection_id = wrapped.connection_id
     AND secret.field = wrapped.field AND secret.version = wrapped.version`;
