import { Inject, Injectable } from '@nestjs/common';
import { Problem, type Secret } from '@soma/kernel';
import { isDatabaseFault } from '@soma/persistence';
import {
  EncryptedDatabase,
  EnvironmentSecrets,
  type SecretBackend,
  type SecretLocation,
} from '@soma/secrets';
import type { EntityManager } from 'typeorm';
import type { ConnectionType } from '../connection-types/connection-type.ts';
import { secretFieldsOf } from '../connections/connection-fields.ts';
import type { ConnectionRow, SetCredential } from '../connections/connection-row.ts';
import { StoredSecretRows } from './secret-rows.ts';
import { insertAll } from './secret-statements.ts';

/** Under this token is the backend that the settings name. */
export const SECRET_BACKEND = Symbol('SECRET_BACKEND');

/** The one version that the operator has set. Nobody knows when. */
const OF_OPERATOR: SetCredential = { version: 1, changed_at: null };

/** By what of a connection its credentials are found. */
export type ConnectionKey = Pick<ConnectionRow, 'connection_id' | 'name'>;

/** Where the credentials of connections are kept. */
@Injectable()
export class ConnectionSecrets {
  constructor(@Inject(SECRET_BACKEND) readonly backend: SecretBackend) {}

  /**
   * The backend for a change that commits with the caller's transaction. Where secrets are kept
   * elsewhere they are written at once: a version that no committed row names is never read.
   */
  within(manager: EntityManager): SecretBackend {
    return this.backend instanceof EncryptedDatabase
      ? this.backend.on(new StoredSecretRows((_tenantId, work) => work(manager)))
      : this.backend;
  }

  /**
   * Writes secrets of one tenant, none of them twice, with the caller's transaction, and answers their
   * versions. Only where {@link isTransactional}.
   */
  writeAllWithin(
    manager: EntityManager,
    tenantId: string,
    items: readonly { location: SecretLocation; value: Secret }[],
  ): Promise<number[]> {
    const { backend } = this;
    if (!(backend instanceof EncryptedDatabase)) {
      throw new Error('These secrets are kept outside of the database.');
    }
    const sealed = items.map(({ location, value }) => ({
      location,
      seal: backend.sealing(location, value),
    }));
    return insertAll(manager, tenantId, sealed);
  }

  /**
   * Reads the version of a credential that a committed row names.
   *
   * @throws {@link Problem} 502 `credential_unavailable` where it is gone or cannot be read
   */
  async open(location: SecretLocation, version: number | undefined): Promise<Secret> {
    const secret = await this.backend.read(location, version).catch((error: unknown) => {
      // That of our own database says nothing of the credential, and is answered as everywhere.
      throw this.isTransactional && isDatabaseFault(error)
        ? error
        : credentialUnavailable(location.field, error);
    });
    if (secret === undefined) {
      throw credentialUnavailable(location.field);
    }
    return secret;
  }

  /** Where a credential is: in variables by the name that the operator knows. */
  placeOf(tenantId: string, connection: ConnectionKey, field: string): SecretLocation {
    const { connection_id, name } = connection;
    const isVariable = this.backend instanceof EnvironmentSecrets;
    return { tenantId, connection: isVariable ? name : connection_id, field };
  }

  /**
   * Which credentials are set: those that requests have written, or, where none can write any, those
   * of the type that the operator has set.
   */
  setOf(
    tenantId: string,
    { name, credentials }: Pick<ConnectionRow, 'name' | 'credentials'>,
    type: ConnectionType | undefined,
  ): ConnectionRow['credentials'] {
    const { backend } = this;
    if (!(backend instanceof EnvironmentSecrets)) {
      return credentials;
    }
    const found = (type ? secretFieldsOf(type) : []).filter((field) =>
      backend.has({ tenantId, connection: name, field }),
    );
    return Object.fromEntries(found.map((field) => [field, OF_OPERATOR]));
  }

  /** Whether what {@link within} changes is undone with its transaction. */
  get isTransactional(): boolean {
    return this.backend instanceof EncryptedDatabase;
  }
}

function credentialUnavailable(field: string, cause?: unknown): Problem {
  return new Problem({
    status: 502,
    code: 'credential_unavailable',
    detail:
      `A credential of this connection (${field}) cannot be read where credentials are kept. ` +
      'Try again; if that lasts, set it again or authorise the connection anew.',
    cause,
  });
}
