import { Injectable } from '@nestjs/common';
import type { Secret } from '@soma/kernel';
import { TenantTransaction } from '@soma/persistence';
import type { SecretBackend, SecretLocation } from '@soma/secrets';
import type { EntityManager } from 'typeorm';
import type { ConnectionType } from '../connection-types/connection-type.ts';
import { type ConnectionKey, ConnectionSecrets } from '../secrets/connection-secrets.ts';
import type { FieldChange } from './connection-fields.ts';
import type { ConnectionRow, SetCredential } from './connection-row.ts';
import { CredentialsToForget } from './credentials-to-forget.ts';

/** What a change is going to write. */
interface PlannedCredentials extends ConnectionKey {
  written: FieldChange['written'];
}

/** What a change has written. */
export type WrittenAhead<Plan> = Plan & { versions: WrittenCredentials };

/** The versions of what was written, by field. */
type WrittenCredentials = ReadonlyMap<string, SetCredential>;

/** What is exchanged and removed. */
export interface CredentialChange extends Pick<FieldChange, 'written' | 'removed'> {
  /** Of what was written ahead. */
  versions?: WrittenCredentials | undefined;
}

type Changed = ConnectionKey & Pick<ConnectionRow, 'credentials'> & { tenant_id: string };

/** Exchanges and removes the credentials of connections, wherever they are kept. */
@Injectable()
export class CredentialChanges {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly secrets: ConnectionSecrets,
    private readonly toForget: CredentialsToForget,
  ) {}

  /** The credentials that a connection has before any is written. */
  ofOperator(tenantId: string, name: string, type: ConnectionType): ReadonlySet<string> {
    const set = this.secrets.setOf(tenantId, { name, credentials: {} }, type);
    return new Set(Object.keys(set));
  }

  /**
   * Makes a change. Credentials that are kept outside of the database are written before it: however
   * long that takes, no lock and no connection of the database is held meanwhile.
   *
   * @param plan - Looks up what is to be written; undefined where the change will be refused.
   * @param change - Makes the change, in which {@link apply} has what was written before it;
   *   undefined where nothing was.
   * @throws {@link Problem} 412 `version_mismatch` while another change is about to write them
   */
  async run<Plan extends PlannedCredentials, Result>(
    tenant_id: string,
    plan: (manager: EntityManager) => Promise<Plan | undefined>,
    change: (written?: WrittenAhead<Plan>) => Promise<Result>,
  ): Promise<Result> {
    const planned = this.secrets.isTransactional ? undefined : await this.plan(tenant_id, plan);
    if (planned === undefined) {
      return change();
    }
    const placeOf = (field: string): SecretLocation =>
      this.secrets.placeOf(tenant_id, planned, field);
    try {
      const versions = await writeAll(this.secrets.backend, placeOf, planned.written);
      return await change({ ...planned, versions });
    } catch (error) {
      const owner = { tenant_id, connection_id: planned.connection_id };
      await this.transaction.run(tenant_id, (manager) =>
        this.toForget.giveUp(manager, owner, [...planned.written.keys()]),
      );
      throw error;
    }
  }

  private plan<Plan extends PlannedCredentials>(
    tenant_id: string,
    plan: (manager: EntityManager) => Promise<Plan | undefined>,
  ): Promise<Plan | undefined> {
    return this.transaction.run(tenant_id, async (manager) => {
      const found = await plan(manager);
      if (found !== undefined) {
        const owner = { tenant_id, connection_id: found.connection_id };
        await this.toForget.plan(manager, owner, [...found.written.keys()]);
      }
      return found;
    });
  }

  /**
   * Writes and removes credentials with the transaction, and answers which are set then.
   *
   * @throws {@link Problem} 503 `credentials_late`
   */
  async apply(
    manager: EntityManager,
    connection: Changed,
    change: CredentialChange,
  ): Promise<Record<string, SetCredential>> {
    const versions = this.secrets.isTransactional
      ? await this.applyWithin(manager, connection, change)
      : await this.applyOutside(manager, connection, change);
    const removed = new Set(change.removed);
    const kept = Object.entries(connection.credentials).filter(([field]) => !removed.has(field));
    return Object.fromEntries([...kept, ...versions]);
  }

  private async applyWithin(
    manager: EntityManager,
    connection: Changed,
    { written, removed }: CredentialChange,
  ): Promise<WrittenCredentials> {
    const backend = this.secrets.within(manager);
    const placeOf = (field: string): SecretLocation =>
      this.secrets.placeOf(connection.tenant_id, connection, field);
    for (const field of removed) {
      await backend.delete(placeOf(field));
    }
    return writeAll(backend, placeOf, written);
  }

  private async applyOutside(
    manager: EntityManager,
    connection: Changed,
    { written, removed, versions = new Map() }: CredentialChange,
  ): Promise<WrittenCredentials> {
    await this.toForget.keep(manager, connection, [...written.keys()]);
    await this.toForget.add(manager, connection, removed);
    return versions;
  }
}

async function writeAll(
  backend: SecretBackend,
  placeOf: (field: string) => SecretLocation,
  written: ReadonlyMap<string, Secret>,
): Promise<WrittenCredentials> {
  const versions = new Map<string, SetCredential>();
  for (const [field, value] of written) {
    const version = await backend.write(placeOf(field), value);
    versions.set(field, { version, changed_at: new Date().toISOString() });
  }
  return versions;
}
