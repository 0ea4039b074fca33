import { Global, Module } from '@nestjs/common';
import { IdempotentWrites } from './idempotent-writes.ts';

/** What every feature's writes need. */
@Global()
@Module({ providers: [IdempotentWrites], exports: [IdempotentWrites] })
export class RuntimeModule {}
