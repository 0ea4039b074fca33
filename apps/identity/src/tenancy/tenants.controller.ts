import { Body, Controller, Get, Param, Patch, Post, UseInterceptors } from '@nestjs/common';
import { Access, type Caller, CurrentCaller, CurrentPrincipal, ifMatchHeader } from '@soma/auth';
import {
  clientIdentifier,
  createdTenant,
  type CreatedTenant,
  createTenantRequest,
  type CreateTenantRequest,
  type Principal,
  tenant,
  type Tenant,
  updateTenantRequest,
  type UpdateTenantRequest,
} from '@soma/contracts';
import { Operation } from '@soma/http';
import { FaultInterceptor, TenantTransaction } from '@soma/persistence';
import { CreateTenant } from './create-tenant.ts';
import { RenameTenant } from './rename-tenant.ts';
import { tenantNotFound, Tenants } from './tenants.ts';

const unavailable = { 503: ['database_unavailable'] };
const missing = { 404: ['tenant_not_found'] };

@Controller('v1/tenants')
@UseInterceptors(FaultInterceptor)
export class TenantsController {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly tenants: Tenants,
    private readonly createTenant: CreateTenant,
    private readonly renameTenant: RenameTenant,
  ) {}

  @Post()
  @Access({ scope: 'tenants:write', resource: 'tenant' })
  @Operation({
    summary: 'Create a tenant',
    description:
      'For services of the operator’s own tenant. The answer shows the invitation of the first ' +
      'owner, this once. Asking again, while the tenant has no member, invites again.',
    bodyExample: { tenant_id: 'acme', name: 'Acme', owner_email: 'ann@example.com' },
    answer: createdTenant,
    problems: { 403: ['operator_required'], 409: ['tenant_exists'], ...unavailable },
  })
  create(
    @CurrentCaller() caller: Caller,
    @Body({ schema: createTenantRequest }) request: CreateTenantRequest,
  ): Promise<CreatedTenant> {
    return this.createTenant.execute(caller, request);
  }

  @Get(':id')
  @Access({ scope: 'tenants:read', resource: 'tenant' })
  @Operation({
    summary: 'Look your tenant up',
    answer: tenant,
    problems: { ...missing, ...unavailable },
  })
  find(
    @CurrentPrincipal() principal: Principal,
    @Param('id', { schema: clientIdentifier }) id: string,
  ): Promise<Tenant> {
    assertOwn(principal, id);
    return this.transaction.run(id, (manager) => this.tenants.find(manager, id));
  }

  @Patch(':id')
  @Access({ scope: 'tenants:write', resource: 'tenant' })
  @Operation({
    summary: 'Rename your tenant',
    headers: ifMatchHeader,
    bodyExample: { name: 'Acme Incorporated' },
    answer: tenant,
    problems: { ...missing, 412: ['version_mismatch'], ...unavailable },
  })
  rename(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: clientIdentifier }) id: string,
    @Body({ schema: updateTenantRequest }) request: UpdateTenantRequest,
  ): Promise<Tenant> {
    assertOwn(caller.principal, id);
    return this.renameTenant.execute(caller, request);
  }
}

/** Whether there is another tenant of that name is nobody's business. */
function assertOwn({ tenant_id }: Principal, id: string): void {
  if (id !== tenant_id) {
    throw tenantNotFound(id);
  }
}
