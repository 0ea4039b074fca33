import { Controller, Get, HttpCode, Param, Post, Req, Res, UseFilters } from '@nestjs/common';
import { Public } from '@soma/auth';
import { StreamsBody, Undocumented } from '@soma/http';
import { Problem } from '@soma/kernel';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { auditOrigin } from '../audit/audit-origin.ts';
import { STATE_COOKIE } from './begin-provider-sign-in.ts';
import { CompleteProviderSignIn } from './complete-provider-sign-in.ts';
import { readCookie, setCookie } from './cookies.ts';
import { readForm } from './form-body.ts';
import type { IdentityProvider } from './providers/identity-provider.ts';
import { callbackPath, IdentityProviders } from './providers/identity-providers.ts';
import { goOn } from './sign-in.controller.ts';
import { SignInPageFilter } from './sign-in-page.filter.ts';

/** Where providers send browsers back to. */
@Public()
@Undocumented()
@UseFilters(SignInPageFilter)
@Controller('api/auth/oauth/:provider/callback')
export class OAuthCallbackController {
  constructor(
    private readonly providers: IdentityProviders,
    private readonly complete: CompleteProviderSignIn,
  ) {}

  @Get()
  async comeBack(
    @Param('provider') name: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const { searchParams } = new URL(request.url, 'http://here');
    await this.answer(this.find(name), searchParams, { request, reply });
  }

  /** Apple's page posts its answer (`response_mode=form_post`). */
  @Post()
  @HttpCode(303)
  @StreamsBody()
  async comeBackWithForm(
    @Param('provider') name: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const provider = this.find(name);
    if (!provider.postsBack) {
      throw notFound();
    }
    await this.answer(provider, await readForm(request), { request, reply });
  }

  private async answer(
    provider: IdentityProvider,
    parameters: URLSearchParams,
    { request, reply }: { request: FastifyRequest; reply: FastifyReply },
  ): Promise<void> {
    const sealed = readCookie(request.headers, STATE_COOKIE);
    // Whatever comes of it, the browser is done with it.
    reply.header('set-cookie', setCookie(emptyCookie(provider)));
    const returned = { provider, sealed, parameters };
    const { interaction, outcome } = await this.complete.execute(returned, auditOrigin(request));
    const isNotice = outcome !== 'signed_in' && outcome !== 'link_waiting';
    await goOn(reply, interaction, isNotice ? outcome : undefined);
  }

  private find(name: string): IdentityProvider {
    const provider = this.providers.find(name);
    if (provider === undefined) {
      throw notFound();
    }
    return provider;
  }
}

function emptyCookie({ name, postsBack }: IdentityProvider): Parameters<typeof setCookie>[0] {
  const path = callbackPath(name);
  return {
    ...{ name: STATE_COOKIE, value: '', path, maxAgeSeconds: 0 },
    ...{ isCrossSite: postsBack, isSecure: false },
  };
}

function notFound(): Problem {
  return new Problem({
    status: 404,
    code: 'provider_not_offered',
    detail: 'Nobody signs in here with this provider.',
  });
}
