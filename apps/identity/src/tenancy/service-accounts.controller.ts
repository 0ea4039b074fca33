import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Param,
  Patch,
  Post,
  Query,
  UseInterceptors,
} from '@nestjs/common';
import {
  Access,
  type Caller,
  CurrentCaller,
  CurrentPrincipal,
  idempotencyHeader,
  ifMatchHeader,
  StepUp,
} from '@soma/auth';
import {
  memberListQuery,
  type MemberListQuery,
  type Principal,
  serviceAccount,
  type ServiceAccount,
  serviceAccountList,
  type ServiceAccountList,
  serviceAccountRequest,
  type ServiceAccountRequest,
  toPage,
} from '@soma/contracts';
import { Operation } from '@soma/http';
import { FaultInterceptor, TenantTransaction } from '@soma/persistence';
import { z } from 'zod';
import { ChangeServiceAccounts } from './change-service-accounts.ts';
import { ServiceAccounts } from './service-accounts.ts';

const unavailable = { 503: ['database_unavailable'] };
const missing = { 404: ['service_account_not_found'] };

@Controller('v1/members/service-accounts')
@UseInterceptors(FaultInterceptor)
export class ServiceAccountsController {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly accounts: ServiceAccounts,
    private readonly change: ChangeServiceAccounts,
  ) {}

  @Post()
  @Access({ scope: 'members:write', resource: 'member' })
  @Operation({
    summary: 'Create a service account',
    description: 'A program that acts in the tenant. What it may do, its API keys say.',
    headers: idempotencyHeader,
    bodyExample: { name: 'Ticket bot' },
    answer: serviceAccount,
    problems: { 404: ['tenant_not_found'], 409: ['idempotency_conflict'], ...unavailable },
  })
  create(
    @CurrentCaller() caller: Caller,
    @Body({ schema: serviceAccountRequest }) request: ServiceAccountRequest,
  ): Promise<ServiceAccount> {
    return this.change.create(caller, request);
  }

  @Get()
  @Access({ scope: 'members:read', resource: 'member' })
  @Operation({
    summary: 'List service accounts',
    answer: serviceAccountList,
    problems: unavailable,
  })
  async list(
    @CurrentPrincipal() { tenant_id }: Principal,
    @Query({ schema: memberListQuery }) { limit, cursor }: MemberListQuery,
  ): Promise<ServiceAccountList> {
    const accounts = await this.transaction.run(tenant_id, (manager) =>
      this.accounts.list(manager, tenant_id, { limit: limit + 1, cursor }),
    );
    const page = toPage(accounts, limit, ({ service_account_id }) => service_account_id);
    return { service_accounts: page.items, next_cursor: page.next_cursor };
  }

  @Get(':id')
  @Access({ scope: 'members:read', resource: 'member' })
  @Operation({
    summary: 'Look a service account up',
    answer: serviceAccount,
    problems: { ...missing, ...unavailable },
  })
  find(
    @CurrentPrincipal() { tenant_id }: Principal,
    @Param('id', { schema: z.uuid() }) id: string,
  ): Promise<ServiceAccount> {
    return this.transaction.run(tenant_id, (manager) => this.accounts.find(manager, tenant_id, id));
  }

  @Patch(':id')
  @Access({ scope: 'members:write', resource: 'member' })
  @Operation({
    summary: 'Rename a service account',
    headers: ifMatchHeader,
    bodyExample: { name: 'Help desk bot' },
    answer: serviceAccount,
    problems: { ...missing, 412: ['version_mismatch'], ...unavailable },
  })
  rename(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: z.uuid() }) id: string,
    @Body({ schema: serviceAccountRequest }) { name }: ServiceAccountRequest,
  ): Promise<ServiceAccount> {
    return this.change.rename(caller, { id, name });
  }

  @Delete(':id')
  @HttpCode(204)
  @Access({ scope: 'members:write', resource: 'member' })
  @StepUp()
  @Operation({
    summary: 'Remove a service account',
    description: 'Its API keys are revoked with it.',
    headers: ifMatchHeader,
    problems: { 401: ['step_up_required'], ...missing, 412: ['version_mismatch'], ...unavailable },
  })
  remove(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: z.uuid() }) id: string,
  ): Promise<void> {
    return this.change.remove(caller, id);
  }
}
