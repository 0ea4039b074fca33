import {
  Body,
  Controller,
  Delete,
  HttpCode,
  Param,
  Post,
  Put,
  UseInterceptors,
} from '@nestjs/common';
import { CurrentPrincipal, Internal } from '@soma/auth';
import {
  connectionName,
  type ConnectionPermit,
  pauseConnectionRequest,
  type PauseConnectionRequest,
  permitPath,
  type PermitPath,
  type Principal,
  takePermitRequest,
  type TakePermitRequest,
} from '@soma/contracts';
import { Undocumented } from '@soma/http';
import { FaultInterceptor } from '@soma/persistence';
import { ConnectionPermits } from './connection-permits.ts';
import { CurrentWaiter, type Waiter } from './current-waiter.decorator.ts';

/** How much a connection is used, over all services. */
@Internal()
@Undocumented()
@Controller('internal/v1/connections/:name')
@UseInterceptors(FaultInterceptor)
export class PermitsController {
  constructor(private readonly permits: ConnectionPermits) {}

  @Post('permits')
  take(
    @CurrentWaiter() { tenant_id, signal }: Waiter,
    @Param('name', { schema: connectionName }) name: string,
    @Body({ schema: takePermitRequest }) { deadline_ms }: TakePermitRequest,
  ): Promise<ConnectionPermit> {
    return this.permits.take(tenant_id, name, { deadlineMs: deadline_ms, signal });
  }

  @Put('permits/:permit_id')
  @HttpCode(204)
  renew(
    @CurrentPrincipal() { tenant_id }: Principal,
    @Param({ schema: permitPath }) path: PermitPath,
  ): Promise<void> {
    return this.permits.renew(tenant_id, path);
  }

  @Delete('permits/:permit_id')
  @HttpCode(204)
  release(
    @CurrentPrincipal() { tenant_id }: Principal,
    @Param({ schema: permitPath }) path: PermitPath,
  ): Promise<void> {
    return this.permits.release(tenant_id, path);
  }

  @Post('pauses')
  @HttpCode(204)
  pause(
    @CurrentPrincipal() { tenant_id }: Principal,
    @Param('name', { schema: connectionName }) name: string,
    @Body({ schema: pauseConnectionRequest }) { retry_after_ms }: PauseConnectionRequest,
  ): Promise<void> {
    return this.permits.pause(tenant_id, name, retry_after_ms);
  }
}
