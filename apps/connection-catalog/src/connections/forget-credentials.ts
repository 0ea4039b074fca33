import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { RepeatedWork, withinLimit } from '@soma/kernel';
import { TenantTransaction } from '@soma/persistence';
import { ConnectionSecrets } from '../secrets/connection-secrets.ts';
import { CredentialsToForget, type ForgettableCredential } from './credentials-to-forget.ts';

const POLL_MS = 1_000;
const MAX_TAKEN = 100;
/** How long a backend may take for one: meanwhile a connection to the database is held. */
const LIMIT_MS = 10_000;

/** Deletes credentials that no connection has, where they are kept outside of the database. */
@Injectable()
export class ForgetCredentials implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly work = new RepeatedWork({
    everyMs: POLL_MS,
    act: () => this.execute(),
    onFailure: (error) => {
      new Logger(ForgetCredentials.name).warn({
        message: 'A credential that is to be deleted is still there; trying again.',
        error,
      });
    },
  });

  constructor(
    private readonly transaction: TenantTransaction,
    private readonly secrets: ConnectionSecrets,
    private readonly credentials: CredentialsToForget,
  ) {}

  onApplicationBootstrap(): void {
    // Nothing is kept outside; what was, another backend must delete.
    if (!this.secrets.isTransactional) this.work.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.work.stop();
  }

  /** Up to the first that fails: mostly it is the backend that is away. */
  private async execute(): Promise<void> {
    for (const credential of await this.credentials.due(MAX_TAKEN)) {
      await this.forget(credential);
    }
  }

  private async forget(credential: ForgettableCredential): Promise<void> {
    const { tenant_id, connection_id, field } = credential;
    const location = { tenantId: tenant_id, connection: connection_id, field };
    try {
      await this.transaction.run(tenant_id, async (manager) => {
        if (await this.credentials.take(manager, credential)) {
          // What goes on after the lock is let go could delete what is written then.
          await withinLimit(LIMIT_MS, (signal) => this.secrets.backend.delete(location, signal));
        }
      });
    } catch (error) {
      // Others go first.
      await this.transaction.run(tenant_id, (manager) =>
        this.credentials.add(manager, credential, [field]),
      );
      throw error;
    }
  }
}
