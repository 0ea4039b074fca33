import { Controller, Get, HttpCode, Post, Req, Res } from '@nestjs/common';
import { Public } from '@soma/auth';
import { Operation, StreamsBody } from '@soma/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import Provider from 'oidc-provider';
import { z } from 'zod';

const tokenResponse = z.object({
  access_token: z.string(),
  token_type: z.enum(['Bearer', 'DPoP']),
  expires_in: z.int().meta({ description: 'In seconds.' }),
  scope: z.string().optional(),
});

/**
 * The doors of the authorisation server.
 *
 * Each is named here, so that nothing else that oidc-provider could serve is reachable. Errors have
 * the form of RFC 6749 §5.2 and not that of a problem, as OAuth clients expect.
 */
@Public()
@Controller()
export class OAuthController {
  private readonly answer: ReturnType<Provider['callback']>;

  constructor(provider: Provider) {
    this.answer = provider.callback();
  }

  @Post('oauth/token')
  @HttpCode(200)
  @Operation({
    summary: 'Obtain an access token',
    description:
      'OAuth 2.0 client credentials (RFC 6749 §4.4): a form with `grant_type=client_credentials`, ' +
      'optionally `scope` and `resource=urn:soma:<service>` (default: the gateway), and the ' +
      'client’s id and secret as HTTP Basic credentials or as `client_id` and `client_secret`. ' +
      'Errors have the form of RFC 6749 §5.2.',
    answer: tokenResponse,
    public: true,
  })
  @StreamsBody()
  token(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.handOver(request, reply);
  }

  @Get('.well-known/jwks.json')
  @Operation({
    summary: 'The keys that verify access tokens',
    description: 'A JSON Web Key Set (RFC 7517).',
    answer: z.object({ keys: z.array(z.record(z.string(), z.unknown())) }),
    public: true,
  })
  keys(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.handOver(request, reply);
  }

  @Operation({
    summary: 'What this authorisation server offers',
    description: 'Authorisation server metadata (RFC 8414).',
    answer: z.record(z.string(), z.unknown()),
    public: true,
  })
  @Get(['.well-known/openid-configuration', '.well-known/oauth-authorization-server'])
  discovery(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.handOver(request, reply);
  }

  private async handOver(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    reply.hijack();
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      reply.raw.setHeader(name, value ?? '');
    }
    await this.answer(request.raw, reply.raw);
  }
}
