import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { RepeatedWork } from '@soma/kernel';
import { TenantTransaction } from '@soma/persistence';
import { AuditLog } from '../audit/audit-log.ts';
import { OPERATOR_TENANT } from '../tenancy/operator-tenant.ts';
import { POLICY_BUNDLE_FILE } from './policy-bundle.controller.ts';

const EVERY_MS = 15_000;

/**
 * Writes down that the policies are others than before. They are a file that a deployment replaces,
 * so that nobody asks for the change here: it is found.
 */
@Injectable()
export class PolicyChanges implements OnApplicationBootstrap, OnApplicationShutdown {
  private written: string | undefined;
  private readonly logger = new Logger(PolicyChanges.name);
  private readonly work = new RepeatedWork({
    everyMs: EVERY_MS,
    act: () => this.look(),
    onFailure: (error) => {
      this.logger.warn({ error, message: 'Looking for changed policies failed; trying again.' });
    },
  });

  constructor(
    @Inject(POLICY_BUNDLE_FILE) private readonly file: string | undefined,
    @Inject(OPERATOR_TENANT) private readonly operatorTenant: string,
    private readonly transaction: TenantTransaction,
    private readonly log: AuditLog,
  ) {}

  onApplicationBootstrap(): void {
    if (this.file !== undefined) {
      this.work.start();
    }
  }

  async onApplicationShutdown(): Promise<void> {
    await this.work.stop();
  }

  private async look(): Promise<void> {
    const digest = hash('sha256', await readFile(this.file ?? ''));
    if (digest !== this.written) {
      await this.write(digest);
      this.written = digest;
    }
  }

  private write(digest: string): Promise<void> {
    const tenant_id = this.operatorTenant;
    return this.transaction.run(tenant_id, async (manager) => {
      // Held to the commit, so that of pods that find it at once one writes it down.
      await manager.query(`SELECT pg_advisory_xact_lock(hashtext('audit.policy_changes'))`);
      const [last] = await manager.query<{ target_id: string }[]>(
        `SELECT target_id FROM audit.audit_log
          WHERE tenant_id = $1 AND action = 'policy.changed' ORDER BY seq DESC LIMIT 1`,
        [tenant_id],
      );
      if (last?.target_id === digest) {
        return;
      }
      await this.log.append(manager, {
        tenant_id,
        actor: { subject: 'identity', address: null },
        action: 'policy.changed',
        target: { type: 'policy_bundle', id: digest },
        outcome: 'success',
        request_id: null,
        details: { before: last?.target_id ?? null },
      });
    });
  }
}
