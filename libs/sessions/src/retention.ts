import { Injectable } from '@nestjs/common';
import { SweepTransaction } from '@soma/persistence';

/** Removes what has had its time: idempotency keys after 24 h, stream tickets after 30 s. */
@Injectable()
export class Retention {
  constructor(private readonly sweep: SweepTransaction) {}

  /** The policies of the sweep's role know what is due; nothing else is in its sight. */
  async run(): Promise<void> {
    await this.sweep.run(async (manager) => {
      await manager.query(
        `DELETE FROM conversation.idempotency_keys
          WHERE created_at < clock_timestamp() - interval '24 hours'`,
      );
      await manager.query(
        `DELETE FROM conversation.stream_tickets WHERE expires_at < clock_timestamp()`,
      );
    });
  }
}
