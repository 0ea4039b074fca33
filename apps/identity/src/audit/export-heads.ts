import { appendFile } from 'node:fs/promises';
import { Injectable, Logger } from '@nestjs/common';
import { type ChainHead, chainHead } from '@soma/contracts';
import { SweepTransaction } from '@soma/persistence';

/**
 * Writes down how far each tenant's chain has come, once a day, where who can change the database
 * cannot: in the log of this process and, where one is named, in a file. A chain that is cut off or
 * made anew later does not fit its heads.
 */
@Injectable()
export class ExportHeads {
  private readonly logger = new Logger(ExportHeads.name);

  constructor(
    private readonly sweep: SweepTransaction,
    private readonly file: string | undefined,
  ) {}

  /** Those that are new since the last export. The first pod of a day does it. */
  async execute(): Promise<void> {
    await this.sweep.run(async (manager) => {
      const rows = await manager.query<unknown[]>(
        `INSERT INTO audit.exported_heads (tenant_id, day, seq, hash)
         SELECT tenant_id, (clock_timestamp() AT TIME ZONE 'UTC')::date, seq, hash
           FROM audit.chain_heads AS head
          WHERE NOT EXISTS (
            SELECT FROM audit.exported_heads AS known
             WHERE known.tenant_id = head.tenant_id AND known.seq = head.seq)
         ON CONFLICT DO NOTHING
         RETURNING tenant_id, seq::float8 AS seq, hash`,
      );
      // Before the commit: rather twice than never.
      await this.write(rows.map((row) => chainHead.parse(row)));
    });
  }

  private async write(heads: ChainHead[]): Promise<void> {
    for (const head of heads) {
      this.logger.log({ ...head, message: 'The head of an audit chain.' });
    }
    if (this.file !== undefined && heads.length > 0) {
      await appendFile(this.file, heads.map((head) => `${JSON.stringify(head)}\n`).join(''), {
        flush: true,
      });
    }
  }
}
