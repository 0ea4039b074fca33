import { Global, Module } from '@nestjs/common';
import {
  IdempotencyRetention,
  IdempotentWrites,
  SweepTransaction,
  TenantTransaction,
} from '@soma/persistence';
import { Envelope, KeyedHash } from '@soma/secrets';

const schema = 'identity';

/** What every feature's writes need. */
@Global()
@Module({
  providers: [
    {
      provide: IdempotentWrites,
      inject: [TenantTransaction, Envelope, KeyedHash],
      useFactory: (transaction: TenantTransaction, seal: Envelope, bodies: KeyedHash) =>
        new IdempotentWrites({ schema, transaction, seal, bodies }),
    },
    {
      provide: IdempotencyRetention,
      inject: [SweepTransaction],
      useFactory: (sweep: SweepTransaction) => new IdempotencyRetention(schema, sweep),
    },
  ],
  exports: [IdempotentWrites],
})
export class RuntimeModule {}
