import { Global, Module } from '@nestjs/common';
import { Members } from './members.ts';
import { ServiceAccounts } from './service-accounts.ts';
import { Tenants } from './tenants.ts';
import { Users } from './users.ts';

/** Tenants, and the people and programs in them. */
@Global()
@Module({
  providers: [Members, ServiceAccounts, Tenants, Users],
  exports: [Members, ServiceAccounts, Tenants, Users],
})
export class TenancyModule {}
