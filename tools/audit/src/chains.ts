import { type AuditLine, type ChainHead, chainHead } from '@soma/contracts';
import {
  type DatabaseOptions,
  openDataSource,
  SweepTransaction,
  TenantTransaction,
} from '@soma/persistence';

const PAGE = 1_000;

/** The wire form of a line, made by the database: the tool shares no code with the writer. */
const LINE = `
  json_build_object(
    'tenant_id', tenant_id, 'seq', seq, 'audit_id', audit_id,
    'occurred_at', to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'actor', json_build_object('subject', actor_subject, 'address', actor_address),
    'action', action, 'target', json_build_object('type', target_type, 'id', target_id),
    'outcome', outcome, 'request_id', request_id, 'details', details,
    'previous_hash', previous_hash, 'hash', hash)`;

type Pool = Awaited<ReturnType<typeof openDataSource>>;

/** The audit chains of a database, for whoever has the role of identity there. */
export class Chains implements AsyncDisposable {
  readonly #dataSource: Pool;
  readonly #tenant: TenantTransaction;
  readonly #sweep: SweepTransaction;

  private constructor(dataSource: Pool) {
    this.#dataSource = dataSource;
    this.#tenant = new TenantTransaction(dataSource);
    this.#sweep = new SweepTransaction(dataSource, 'identity_sweep');
  }

  static async open(options: DatabaseOptions): Promise<Chains> {
    return new Chains(await openDataSource({ ...options, poolSize: 2 }));
  }

  /** The present head of every chain. */
  heads(): Promise<ChainHead[]> {
    return this.#readHeads('audit.chain_heads');
  }

  async head(tenantId: string): Promise<ChainHead | undefined> {
    const [head] = await this.#readHeads('audit.chain_heads WHERE tenant_id = $1', [tenantId]);
    return head;
  }

  /** The heads that the daily export has written down in the database too. */
  exportedHeads(): Promise<ChainHead[]> {
    return this.#readHeads('audit.exported_heads');
  }

  /** All lines of a chain, in the order of their numbers. */
  async *lines(tenantId: string): AsyncGenerator<AuditLine> {
    let after = 0;
    for (;;) {
      const rows = await this.#tenant.run(tenantId, (manager) =>
        // In this form, but perhaps altered: it is not parsed, so that whatever it says can be named.
        manager.query<{ line: AuditLine }[]>(
          `SELECT ${LINE} AS line FROM audit.audit_log
            WHERE tenant_id = $1 AND seq > $2 ORDER BY seq LIMIT $3`,
          [tenantId, after, PAGE],
        ),
      );
      yield* rows.map(({ line }) => line);
      const last = rows.at(-1)?.line;
      if (last === undefined) return;
      after = last.seq;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dataSource.destroy();
  }

  async #readHeads(from: string, values: unknown[] = []): Promise<ChainHead[]> {
    const rows = await this.#sweep.run((manager) =>
      manager.query<unknown[]>(
        `SELECT tenant_id, seq::float8 AS seq, hash FROM ${from} ORDER BY tenant_id, seq`,
        values,
      ),
    );
    return rows.map((row) => chainHead.parse(row));
  }
}
