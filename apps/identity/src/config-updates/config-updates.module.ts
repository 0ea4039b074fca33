import { Global, Module } from '@nestjs/common';
import { ConfigUpdates } from './config-updates.ts';

/** Writes down what every process of Soma is to let go. */
@Global()
@Module({ providers: [ConfigUpdates], exports: [ConfigUpdates] })
export class ConfigUpdatesModule {}
