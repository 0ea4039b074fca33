import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { Relationships } from '@soma/auth';
import { RepeatedWork } from '@soma/kernel';
import { noteOutboxAge } from '@soma/messaging';
import { SweepTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { latestChanges, type RelationshipChange } from './latest-changes.ts';

const POLL_MS = 200;
/** OpenFGA takes a hundred relationships in one step. */
const CHANGES_PER_PASS = 100;

/**
 * Brings what people have become in tenants to OpenFGA, in the order in which it happened.
 *
 * One pod at a time does, under a lock that ends with its transaction. What was applied is deleted
 * with it: a pod that dies in between leaves what is applied once more, which changes nothing.
 */
@Injectable()
export class RelationshipSweep implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(RelationshipSweep.name);
  private readonly work = new RepeatedWork({
    everyMs: POLL_MS,
    act: () => this.applyWaiting(),
    onFailure: (error) => {
      this.logger.warn({
        error,
        message: 'Applying changes of relationships failed; trying again.',
      });
    },
  });

  constructor(
    private readonly sweep: SweepTransaction,
    // Null in development alone, where changes wait until there is a server.
    @Inject(Relationships) private readonly relationships: Relationships | null,
  ) {}

  onApplicationBootstrap(): void {
    if (this.relationships !== null) {
      this.work.start();
    }
  }

  async onApplicationShutdown(): Promise<void> {
    await this.work.stop();
  }

  private async applyWaiting(): Promise<void> {
    await this.sweep.run(async (manager) => {
      if (!(await isOnlyOne(manager))) {
        noteOutboxAge('relationships', undefined);
        return;
      }
      const changes = await manager.query<(RelationshipChange & { created_at: Date })[]>(
        `SELECT change_id, subject, relation, object, is_removed, created_at
           FROM identity.relationship_changes ORDER BY change_id LIMIT $1`,
        [CHANGES_PER_PASS],
      );
      noteOutboxAge('relationships', changes[0]?.created_at);
      if (changes.length > 0) {
        await this.relationships?.write(latestChanges(changes));
        await manager.query(
          `DELETE FROM identity.relationship_changes WHERE change_id = ANY ($1::bigint[])`,
          [changes.map(({ change_id }) => change_id)],
        );
      }
    });
  }
}

async function isOnlyOne(manager: EntityManager): Promise<boolean> {
  const [answer] = await manager.query<{ locked: boolean }[]>(
    `SELECT pg_try_advisory_xact_lock(hashtext('identity.relationship_changes')) AS locked`,
  );
  return answer?.locked === true;
}
