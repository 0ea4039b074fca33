import { Global, Module } from '@nestjs/common';
import { ConfigUpdatesReader } from './config-updates-reader.ts';

/** Hears of every change at which a process must drop its copies. */
@Global()
@Module({ providers: [ConfigUpdatesReader], exports: [ConfigUpdatesReader] })
export class ConfigUpdatesReaderModule {}
