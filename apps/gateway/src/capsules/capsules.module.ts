import { Module } from '@nestjs/common';
import { CapsuleRegistry } from './capsule-registry.ts';
import { CapsulesController } from './capsules.controller.ts';

@Module({ controllers: [CapsulesController], providers: [CapsuleRegistry] })
export class CapsulesModule {}
