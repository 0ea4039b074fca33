import { Inject, Injectable } from '@nestjs/common';
import { EncryptedDatabase, type SecretBackend } from '@soma/secrets';
import type { EntityManager } from 'typeorm';
import { StoredSecretRows } from './secret-rows.ts';

/** Under this token is the backend that the settings name. */
export const SECRET_BACKEND = Symbol('SECRET_BACKEND');

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

  /** Whether what {@link within} changes is undone with its transaction. */
  get isTransactional(): boolean {
    return this.backend instanceof EncryptedDatabase;
  }
}
