import {
  Body,
  Controller,
  Delete,
  Header,
  HttpCode,
  Param,
  Post,
  Put,
  UseInterceptors,
} from '@nestjs/common';
import { CurrentPrincipal, Internal } from '@soma/auth';
import {
  type ConnectionLease,
  connectionUsagePath,
  type ConnectionUsagePath,
  type Principal,
  resolveConnectionRequest,
  type ResolveConnectionRequest,
} from '@soma/contracts';
import { Undocumented } from '@soma/http';
import { FaultInterceptor } from '@soma/persistence';
import { ChangeUsage } from './change-usage.ts';
import { ResolveConnection } from './resolve-connection.ts';

/** Connections as other services use them. */
@Internal()
@Undocumented()
@Controller('internal/v1/connections')
@UseInterceptors(FaultInterceptor)
export class InternalConnectionsController {
  constructor(
    private readonly resolveConnection: ResolveConnection,
    private readonly changeUsage: ChangeUsage,
  ) {}

  @Post('resolve')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  resolve(
    @CurrentPrincipal() principal: Principal,
    @Body({ schema: resolveConnectionRequest }) request: ResolveConnectionRequest,
  ): Promise<ConnectionLease> {
    return this.resolveConnection.execute(principal, request);
  }

  @Put(':name/usages/:used_by/:id')
  @HttpCode(204)
  addUsage(
    @CurrentPrincipal() { tenant_id }: Principal,
    @Param({ schema: connectionUsagePath }) path: ConnectionUsagePath,
  ): Promise<void> {
    return this.changeUsage.add(tenant_id, path);
  }

  @Delete(':name/usages/:used_by/:id')
  @HttpCode(204)
  removeUsage(
    @CurrentPrincipal() { tenant_id }: Principal,
    @Param({ schema: connectionUsagePath }) path: ConnectionUsagePath,
  ): Promise<void> {
    return this.changeUsage.remove(tenant_id, path);
  }
}
