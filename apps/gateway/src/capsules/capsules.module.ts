import { Module } from '@nestjs/common';
import { CapsuleRegistry } from './capsule-registry.ts';
import { CapsulesController } from './capsules.controller.ts';
import { InstallCapsule } from './install-capsule.ts';

@Module({ controllers: [CapsulesController], providers: [CapsuleRegistry, InstallCapsule] })
export class CapsulesModule {}
