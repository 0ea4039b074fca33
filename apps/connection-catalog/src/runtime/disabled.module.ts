import { type DynamicModule, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { DisabledGuard } from './disabled.guard.ts';

/** Closes the partners' routes where the operator has turned integrations off. It must come first. */
@Module({})
export class DisabledModule {
  static unless(isEnabled: boolean): DynamicModule {
    const guards = isEnabled ? [] : [{ provide: APP_GUARD, useClass: DisabledGuard }];
    return { module: DisabledModule, providers: guards };
  }
}
