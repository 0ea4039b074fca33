import { Global, Module } from '@nestjs/common';
import { IdempotencyRetention } from './idempotency-retention.ts';
import { IdempotentWrites } from './idempotent-writes.ts';

/** What every feature's writes need. */
@Global()
@Module({ providers: [IdempotencyRetention, IdempotentWrites], exports: [IdempotentWrites] })
export class RuntimeModule {}
