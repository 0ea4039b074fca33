import {
  Body,
  Controller,
  Delete,
  HttpCode,
  Param,
  Post,
  Res,
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
import { Problem } from '@soma/kernel';
import { FaultInterceptor } from '@soma/persistence';
import type { FastifyReply } from 'fastify';
import { ConnectionPermits } from './connection-permits.ts';

/** How much a connection is used, over all services. */
@Internal()
@Undocumented()
@Controller('internal/v1/connections/:name')
@UseInterceptors(FaultInterceptor)
export class PermitsController {
  constructor(private readonly permits: ConnectionPermits) {}

  @Post('permits')
  take(
    @CurrentPrincipal() { tenant_id }: Principal,
    @Param('name', { schema: connectionName }) name: string,
    @Body({ schema: takePermitRequest }) { deadline_ms }: TakePermitRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ConnectionPermit> {
    const request = { deadlineMs: deadline_ms, signal: hangUpOf(reply) };
    return this.permits.take(tenant_id, name, request);
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

/** Aborts when the caller leaves before it has its answer. */
function hangUpOf({ raw }: FastifyReply): AbortSignal {
  const hangUp = new AbortController();
  raw.once('close', () => {
    if (!raw.writableFinished) hangUp.abort(callerLeft());
  });
  return hangUp.signal;
}

/** Nobody reads it. */
function callerLeft(): Problem {
  return new Problem({ status: 408, code: 'caller_left', detail: 'The caller did not wait.' });
}
