import { Controller, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import { Public } from '@soma/auth';
import { Operation } from '@soma/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { OAUTH_OPTIONS, type OAuthOptions } from './oauth-options.ts';
import { BrowserSession } from './browser-session.ts';
import { forgottenCookies } from './refresh-cookie.ts';

const tokens = z.object({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.int().meta({ description: 'In seconds.' }),
  scope: z.string().optional(),
  id_token: z.string().optional(),
});

/** What the web interface does with the cookie that holds its refresh token. */
@Public()
@Controller('api/auth')
export class BrowserSessionController {
  private readonly isSecure: boolean;

  constructor(
    private readonly session: BrowserSession,
    @Inject(OAUTH_OPTIONS) { apiBaseUrl }: OAuthOptions,
  ) {
    this.isSecure = apiBaseUrl.startsWith('https:');
  }

  @Post('refresh')
  @HttpCode(200)
  @Operation({
    summary: 'Obtain a new access token',
    description:
      'For the web interface: the refresh token is in the cookie `refreshToken`, and the next one ' +
      'comes the same way. A request from another site is refused.',
    answer: tokens,
    problems: { 401: ['signed_out'], 403: ['cross_site_request'] },
    public: true,
  })
  async refresh(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { body, cookies } = await this.session.refresh(request);
    await reply.header('cache-control', 'no-store').header('set-cookie', cookies).send(body);
  }

  @Post('sign-out')
  @HttpCode(204)
  @Operation({
    summary: 'Sign out',
    description: 'Ends the sign-in of the cookie and voids its tokens, wherever they are.',
    problems: { 403: ['cross_site_request'] },
    public: true,
  })
  async signOut(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await this.session.signOut(request);
    await reply.status(204).header('set-cookie', forgottenCookies(this.isSecure)).send();
  }
}
