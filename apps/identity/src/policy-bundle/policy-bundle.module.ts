import { type DynamicModule, Module } from '@nestjs/common';
import { POLICY_BUNDLE_FILE, PolicyBundleController } from './policy-bundle.controller.ts';

/** Serves the policies by which every service decides to the agents beside them. */
@Module({})
export class PolicyBundleModule {
  /** @param file - The signed bundle. Without it there is nothing to serve. */
  static configure(file: string | undefined): DynamicModule {
    return {
      module: PolicyBundleModule,
      controllers: [PolicyBundleController],
      providers: [{ provide: POLICY_BUNDLE_FILE, useValue: file }],
    };
  }
}
