import { Module } from '@nestjs/common';
import { PermitsModule } from '../permits/permits.module.ts';
import { CheckHealth } from './check-health.ts';
import { ConnectionReader } from './connection-reader.ts';
import { HealthController } from './health.controller.ts';
import { HealthProber } from './health-prober.ts';
import { HealthRecorder } from './health-recorder.ts';
import { HealthRepository } from './health.repository.ts';
import { ProbeConnection } from './probe-connection.ts';
import { ReadHealth } from './read-health.ts';
import { TestConnection } from './test-connection.ts';

/** Whether connections work. */
@Module({
  imports: [PermitsModule],
  controllers: [HealthController],
  providers: [
    CheckHealth,
    ConnectionReader,
    HealthProber,
    HealthRecorder,
    HealthRepository,
    ProbeConnection,
    ReadHealth,
    TestConnection,
  ],
})
export class HealthModule {}
