import {
  Controller,
  Get,
  HttpCode,
  Param,
  Post,
  Query,
  Req,
  Res,
  UseFilters,
} from '@nestjs/common';
import { Public, RateLimited } from '@soma/auth';
import { StreamsBody, Undocumented } from '@soma/http';
import { Problem } from '@soma/kernel';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { auditOrigin } from '../audit/audit-origin.ts';
import { Interactions, type Visit } from '../oauth/interactions.ts';
import { BeginProviderSignIn } from './begin-provider-sign-in.ts';
import { ChooseTenant } from './choose-tenant.ts';
import { ConfirmLink } from './confirm-link.ts';
import { setCookie } from './cookies.ts';
import { readForm } from './form-body.ts';
import { ProveSecondFactor } from './prove-second-factor.ts';
import { ShowSignIn } from './show-sign-in.ts';
import { SignInPageFilter } from './sign-in-page.filter.ts';

/**
 * The pages of a sign-in, below the address of one request of a client.
 *
 * Each asks first whether the browser is the one that came with the request: oidc-provider knows it
 * by a cookie for just this path, which no other site's form brings along (`SameSite=Lax`). So nobody
 * goes on with somebody else's sign-in, and none of the forms needs a token against forgery.
 */
@Public()
@Undocumented()
@UseFilters(SignInPageFilter)
@Controller('api/auth/sign-in/:uid')
export class SignInController {
  constructor(
    private readonly interactions: Interactions,
    private readonly showSignIn: ShowSignIn,
    private readonly beginProviderSignIn: BeginProviderSignIn,
    private readonly proveSecondFactor: ProveSecondFactor,
    private readonly confirmLink: ConfirmLink,
    private readonly chooseTenant: ChooseTenant,
  ) {}

  @Get()
  async show(
    @Query('notice') notice: string | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.own(request, reply);
    await this.showSignIn.execute(request, reply, notice);
  }

  @Get('with/:provider')
  async begin(
    @Param('provider') provider: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const { uid } = await this.own(request, reply);
    const { url, cookie } = this.beginProviderSignIn.execute(uid, provider);
    await reply
      .status(303)
      .header('cache-control', 'no-store')
      .header('set-cookie', setCookie(cookie))
      .header('location', url.href)
      .send();
  }

  @Post('second-factor')
  @RateLimited('sign_in')
  @HttpCode(303)
  @StreamsBody()
  async prove(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { uid } = await this.own(request, reply);
    const form = await readForm(request);
    const proof = { code: form.get('code') ?? '', passkey: form.get('passkey') ?? '' };
    const notice = await this.proveSecondFactor
      .execute(uid, proof, auditOrigin(request))
      .then(() => undefined, noticeOf);
    await goOn(reply, uid, notice);
  }

  @Post('link')
  @HttpCode(303)
  @StreamsBody()
  async link(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const visit = await this.own(request, reply);
    const form = await readForm(request);
    await this.confirmLink.execute(visit, form.get('answer') === 'yes', auditOrigin(request));
    await goOn(reply, visit.uid, undefined);
  }

  @Post('tenant')
  @HttpCode(303)
  @StreamsBody()
  async choose(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const visit = await this.own(request, reply);
    const form = await readForm(request);
    const wanted = form.get('tenant') ?? undefined;
    const tenantId = await this.chooseTenant.execute(visit, wanted, auditOrigin(request));
    if (tenantId === undefined) {
      await goOn(reply, visit.uid, 'not_chosen');
    } else {
      await this.interactions.choose(request, reply, tenantId);
    }
  }

  /** Back to the client without anything. */
  @Post('leave')
  @HttpCode(303)
  @StreamsBody()
  async leave(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await this.own(request, reply);
    await this.interactions.refuse(request, reply, 'the person did not go on');
  }

  /** The sign-in of the address, which must be this browser's. */
  private async own(request: FastifyRequest, reply: FastifyReply): Promise<Visit> {
    const visit = await this.interactions.find(request, reply);
    if (visit.uid !== (request.params as { uid?: unknown }).uid) {
      throw new Problem({
        status: 400,
        code: 'sign_in_not_found',
        detail: 'This sign-in is not of this browser.',
      });
    }
    return visit;
  }
}

function noticeOf(error: unknown): string {
  if (error instanceof Problem && error.code === 'second_factor_locked') {
    return 'locked';
  }
  if (error instanceof Problem && error.code === 'second_factor_refused') {
    return 'refused';
  }
  throw error;
}

/** Back to the page of the sign-in, which says what is next. */
export async function goOn(
  reply: FastifyReply,
  interaction: string,
  notice: string | undefined,
): Promise<void> {
  const query = notice === undefined ? '' : `?notice=${notice}`;
  await reply
    .status(303)
    .header('cache-control', 'no-store')
    .header('location', `/api/auth/sign-in/${encodeURIComponent(interaction)}${query}`)
    .send();
}
