import { type DynamicModule, Module } from '@nestjs/common';
import { POLICY_BUNDLE_FILE } from './policy-bundle.controller.ts';
import { PolicyChanges } from './policy-changes.ts';

/** Has the audit log know of other policies. */
@Module({})
export class PolicyChangesModule {
  /** @param file - The signed bundle. Without it there is nothing to look at. */
  static of(file: string | undefined): DynamicModule {
    return {
      module: PolicyChangesModule,
      providers: [{ provide: POLICY_BUNDLE_FILE, useValue: file }, PolicyChanges],
    };
  }
}
