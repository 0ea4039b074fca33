import { type DynamicModule, Module } from '@nestjs/common';
import { textSetting } from '@soma/kernel';
import { SweepTransaction } from '@soma/persistence';
import { DailyExport } from './daily-export.ts';
import { ExportHeads } from './export-heads.ts';

/** The setting of the daily export. */
export const headExportSettings = {
  AUDIT_HEADS_FILE: textSetting
    .optional()
    .describe('File to which the heads of the audit chains are added daily. The log has them too.'),
};

/** Keeps the heads of the audit chains outside of the database. */
@Module({})
export class HeadExportModule {
  static to(file: string | undefined): DynamicModule {
    return {
      module: HeadExportModule,
      providers: [
        {
          provide: ExportHeads,
          useFactory: (sweep: SweepTransaction) => new ExportHeads(sweep, file),
          inject: [SweepTransaction],
        },
        DailyExport,
      ],
    };
  }
}
