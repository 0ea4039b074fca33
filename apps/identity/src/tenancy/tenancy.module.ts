import { Global, Module } from '@nestjs/common';
import { Members } from './members.ts';
import { Users } from './users.ts';

/** Tenants, and the people and programs in them. */
@Global()
@Module({
  providers: [Members, Users],
  exports: [Members, Users],
})
export class TenancyModule {}
