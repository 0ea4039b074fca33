import {
  Body,
  Controller,
  Get,
  HttpCode,
  Param,
  Post,
  Req,
  Res,
  UseInterceptors,
} from '@nestjs/common';
import { Access, CurrentPrincipal, Public } from '@soma/auth';
import { connectionName, type Principal } from '@soma/contracts';
import { Operation, type OperationOptions } from '@soma/http';
import { FaultInterceptor } from '@soma/persistence';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { sendCallbackPage } from './callback-page.ts';
import { readFlowCookies } from './flows/browser-cookie.ts';
import { CompleteCodeFlow } from './flows/complete-code-flow.ts';
import { InitiateAuthorization } from './initiate-authorization.ts';
import { ReadStatus } from './read-status.ts';
import { RevokeGrant } from './revoke-grant.ts';
import {
  initiateAnswer,
  type InitiateAnswer,
  initiateRequest,
  type InitiateRequest,
  oauthStatus,
  type OAuthStatus,
  revokeAnswer,
  type RevokeAnswer,
} from './wire.ts';

const unavailable = { 503: ['database_unavailable'] };

const initiateOperation: OperationOptions = {
  summary: 'Start to authorise a connection',
  description:
    'The cookie of the answer binds `authorization_code` to the browser that asked. Each request ' +
    'starts anew; what was authorised before stays good until the new authorisation succeeds.',
  bodyExample: { connection_name: 'github', grant_type: 'device_code' },
  answer: initiateAnswer,
  problems: {
    404: ['connection_not_found'],
    409: ['connection_changed'],
    412: ['version_mismatch'],
    422: [
      'connection_without_oauth',
      'oauth_grant_not_offered',
      'oauth_provider_refused',
      'oauth_provider_unusable',
      'outbound_address_refused',
      'outbound_redirect_refused',
      'outbound_url_refused',
    ],
    502: ['oauth_provider_unreachable', 'upstream_answer_too_large'],
    ...unavailable,
  },
};

@Controller('api/v1/oauth')
@UseInterceptors(FaultInterceptor)
export class OAuthController {
  constructor(
    private readonly initiateAuthorization: InitiateAuthorization,
    private readonly completeCodeFlow: CompleteCodeFlow,
    private readonly readStatus: ReadStatus,
    private readonly revokeGrant: RevokeGrant,
  ) {}

  @Post('initiate')
  @Access({ scope: 'connections:write', resource: 'connection' })
  @HttpCode(200)
  @Operation(initiateOperation)
  async initiate(
    @CurrentPrincipal() principal: Principal,
    @Body({ schema: initiateRequest }) request: InitiateRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<InitiateAnswer> {
    const { answer, cookie } = await this.initiateAuthorization.execute(principal, request);
    reply.header('cache-control', 'no-store');
    if (cookie !== undefined) {
      reply.header('set-cookie', cookie);
    }
    return answer;
  }

  @Get('callback')
  @Public()
  @Operation({
    summary: 'Come back from a provider',
    description: 'Where providers send browsers. It answers a page for a person.',
    public: true,
    answer: z.string(),
    answerType: 'text/html',
    problems: unavailable,
  })
  async callback(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { searchParams: parameters } = new URL(request.url, 'http://here');
    const browserKeys = readFlowCookies(request.headers);
    const outcome = await this.completeCodeFlow.execute({ parameters, browserKeys });
    await sendCallbackPage(reply, outcome);
  }

  @Get('status/:connection_name')
  @Access({ scope: 'connections:read', resource: 'connection' })
  @Operation({
    summary: 'Look up the authorisation of a connection',
    answer: oauthStatus,
    problems: { 404: ['connection_not_found'], ...unavailable },
  })
  status(
    @CurrentPrincipal() principal: Principal,
    @Param('connection_name', { schema: connectionName }) name: string,
  ): Promise<OAuthStatus> {
    return this.readStatus.execute(principal.tenant_id, name);
  }

  @Post('revoke/:connection_name')
  @Access({ scope: 'connections:write', resource: 'connection' })
  @HttpCode(200)
  @Operation({
    summary: 'Revoke the authorisation of a connection',
    description:
      'Nobody gets its token any more, and the provider is told. A repeat tells it again.',
    answer: revokeAnswer,
    problems: {
      404: ['connection_not_found'],
      409: ['connection_not_authorized'],
      ...unavailable,
    },
  })
  async revoke(
    @CurrentPrincipal() principal: Principal,
    @Param('connection_name', { schema: connectionName }) name: string,
  ): Promise<RevokeAnswer> {
    const isTold = await this.revokeGrant.execute(principal, name);
    return { connection_name: name, status: 'revoked', revoked_at_provider: isTold };
  }
}
