import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import type { AccessScope } from '@soma/contracts';
import { RepeatedWork, Secret } from '@soma/kernel';
import { SweepTransaction } from '@soma/persistence';
import { KeyedHash } from '@soma/secrets';
import { API_KEY_PURPOSE } from './api-key-text.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const WRITE_USE_MS = 5_000;

/** A key as the authorisation server needs it. */
export interface KeyClient {
  tenant_id: string;
  key_id: string;
  service_account_id: string;
  /** In hexadecimal. */
  secret_hash: string;
  scopes: AccessScope[];
  /** Null for a key that does not end by itself. */
  ends_at_ms: number | null;
}

/**
 * API keys as clients of the authorisation server: a key's id is the client's id, and the key itself
 * its secret. So a key is exchanged for tokens by OAuth's client credentials (RFC 6749 §4.4), which
 * every client library knows, and whoever is sent such a token verifies it offline.
 */
@Injectable()
export class ApiKeyClients implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(ApiKeyClients.name);
  /** When keys were used, as far as it is not written down yet. */
  private used = new Map<string, Date>();
  private readonly work = new RepeatedWork({
    everyMs: WRITE_USE_MS,
    act: () => this.writeUse(),
    onFailure: (error) => {
      this.logger.warn({ error, message: 'Noting the use of API keys failed; trying again.' });
    },
  });

  constructor(
    private readonly sweep: SweepTransaction,
    private readonly hashes: KeyedHash,
  ) {}

  /** A key that is good now. Whose it is, its row says. */
  async find(keyId: string): Promise<KeyClient | undefined> {
    if (!UUID.test(keyId)) {
      return undefined;
    }
    const [key] = await this.sweep.run((manager) =>
      manager.query<KeyClient[]>(
        `SELECT tenant_id, key_id, service_account_id, encode(secret_hash, 'hex') AS secret_hash,
                scopes, (extract(epoch FROM expires_at) * 1000)::float8 AS ends_at_ms
           FROM identity.api_keys
          WHERE key_id = $1 AND revoked_at IS NULL
            AND (expires_at IS NULL OR expires_at > clock_timestamp())`,
        [keyId],
      ),
    );
    return key;
  }

  /** Whether a text is the key, in which case it has been used. */
  accepts(
    { key_id, secret_hash }: Pick<KeyClient, 'key_id' | 'secret_hash'>,
    text: string,
  ): boolean {
    const isKey = this.hashes.matches(
      new Secret(text),
      API_KEY_PURPOSE,
      Buffer.from(secret_hash, 'hex'),
    );
    if (isKey) {
      this.used.set(key_id, new Date());
    }
    return isKey;
  }

  onApplicationBootstrap(): void {
    this.work.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.work.stop();
    // What is not written is lost with this process, and was coarse anyway.
    await this.writeUse().catch(() => undefined);
  }

  /** To the minute, so that a key that is used all the time is written once in a minute. */
  private async writeUse(): Promise<void> {
    const used = [...this.used];
    this.used = new Map();
    if (used.length === 0) {
      return;
    }
    await this.sweep.run((manager) =>
      manager.query(
        `UPDATE identity.api_keys AS key SET last_used_at = date_trunc('minute', used.at)
           FROM unnest($1::uuid[], $2::timestamptz[]) AS used (key_id, at)
          WHERE key.key_id = used.key_id
            AND (key.last_used_at IS NULL OR key.last_used_at < date_trunc('minute', used.at))`,
        [used.map(([keyId]) => keyId), used.map(([, at]) => at)],
      ),
    );
  }
}
