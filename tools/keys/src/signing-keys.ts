import { newIdentifier, processUser } from '@soma/kernel';
import { type DatabaseOptions, openDataSource, SweepTransaction } from '@soma/persistence';

/** One key that signs access tokens, or will, or did. */
export interface KeyLine {
  kid: string;
  kept_in: 'database' | 'vault';
  state: 'waits' | 'signs' | 'verifies';
  created_at: Date;
  signs_from: Date;
}

type Pool = Awaited<ReturnType<typeof openDataSource>>;

/** The keys in a database, for whoever has the role of identity there. It sees no private key. */
export class SigningKeys implements AsyncDisposable {
  readonly #dataSource: Pool;
  readonly #transaction: SweepTransaction;

  private constructor(dataSource: Pool) {
    this.#dataSource = dataSource;
    this.#transaction = new SweepTransaction(dataSource, 'identity');
  }

  static async open(options: DatabaseOptions): Promise<SigningKeys> {
    return new SigningKeys(await openDataSource({ ...options, poolSize: 2 }));
  }

  /** All keys, the oldest first. */
  list(): Promise<KeyLine[]> {
    return this.#transaction.run((manager) => manager.query<KeyLine[]>(LIST));
  }

  /** Asks the pods of identity for a new key. The one that looks first makes it. */
  async request(): Promise<void> {
    await this.#transaction.run((manager) =>
      manager.query(
        `INSERT INTO identity.key_rotations (rotation_id, requested_by) VALUES ($1, $2)`,
        [newIdentifier(), processUser()],
      ),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dataSource.destroy();
  }
}

const LIST = `
  SELECT kid, CASE WHEN vault_key IS NULL THEN 'database' ELSE 'vault' END AS kept_in,
         CASE WHEN signs_from > clock_timestamp() THEN 'waits'
              WHEN signs_from = (SELECT max(signs_from) FROM identity.signing_keys
                                  WHERE signs_from <= statement_timestamp()) THEN 'signs'
              ELSE 'verifies' END AS state,
         created_at, signs_from
    FROM identity.signing_keys ORDER BY signs_from, kid`;
