import { Global, Module } from '@nestjs/common';
import { ConfigUpdates } from './config-updates.ts';

/** Tells every process of Soma what has changed. */
@Global()
@Module({ providers: [ConfigUpdates], exports: [ConfigUpdates] })
export class ConfigUpdatesModule {}
