import { Controller, Get, HttpCode, Post, Req, Res } from '@nestjs/common';
import { BadCredentials, Public } from '@soma/auth';
import { Operation, StreamsBody } from '@soma/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { AuthorizationServer } from './authorization-server.ts';

const tokenResponse = z.object({
  access_token: z.string(),
  token_type: z.enum(['Bearer', 'DPoP']),
  expires_in: z.int().meta({ description: 'In seconds.' }),
  scope: z.string().optional(),
  id_token: z.string().optional(),
  refresh_token: z.string().optional(),
});

const introspection = z.looseObject({ active: z.boolean() });

const deviceAuthorization = z.object({
  device_code: z.string(),
  user_code: z.string(),
  verification_uri: z.url(),
  verification_uri_complete: z.url(),
  expires_in: z.int().meta({ description: 'In seconds.' }),
});

const page = z.string().meta({ description: 'A page for a browser, or a redirect.' });

/**
 * The doors of the authorisation server.
 *
 * Each is named here, so that nothing else that oidc-provider could serve is reachable. Errors have
 * the form of RFC 6749 §5.2 and not that of a problem, as OAuth clients expect.
 */
@Public()
@Controller()
export class OAuthController {
  constructor(
    private readonly server: AuthorizationServer,
    private readonly badCredentials: BadCredentials,
  ) {}

  @Post('oauth/token')
  @HttpCode(200)
  @Operation({
    summary: 'Obtain an access token',
    description:
      'A form with `grant_type`: `client_credentials` (RFC 6749 §4.4) for a program, with its id and ' +
      'secret as HTTP Basic credentials or as `client_id` and `client_secret`; ' +
      '`authorization_code` (with PKCE, RFC 7636), `refresh_token` or the device code (RFC 8628) ' +
      'for a person. Optionally `scope` and `resource=urn:soma:<service>` (default: the gateway). ' +
      'Errors have the form of RFC 6749 §5.2.',
    answer: tokenResponse,
    problems: { 429: ['rate_limited'] },
    public: true,
  })
  @StreamsBody()
  token(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    // Not pinned to the issuer: a service proves that it asks at the address that it uses (RFC 9449).
    return this.answerProgram(request, reply);
  }

  @Get('oauth/authorize')
  @Operation({
    summary: 'Sign a person in',
    description:
      'Authorisation code flow (RFC 6749 §4.1, OpenID Connect Core §3.1) with PKCE, S256 alone. ' +
      '`tenant` names one of the person’s tenants; who has one need not.',
    answer: page,
    public: true,
  })
  authorize(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.handOver(request, reply);
  }

  @Get('oauth/authorize/:uid')
  @Operation({ summary: 'Go on after the sign-in', answer: page, public: true })
  resume(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.handOver(request, reply);
  }

  @Post('oauth/end-session/confirm')
  @HttpCode(200)
  @Operation({ summary: 'Go on as another person', answer: page, public: true })
  @StreamsBody()
  endSession(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.handOver(request, reply);
  }

  @Post('oauth/introspect')
  @HttpCode(200)
  @Operation({
    summary: 'Ask what a token is good for',
    description: 'RFC 7662: a form with `token`, from a client that authenticates itself.',
    answer: introspection,
    problems: { 429: ['rate_limited'] },
    public: true,
  })
  @StreamsBody()
  introspect(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    this.server.pinToIssuer(request);
    return this.answerProgram(request, reply);
  }

  @Post('oauth/revoke')
  @HttpCode(200)
  @Operation({
    summary: 'Give a token back',
    description:
      'RFC 7009. With a refresh token all that came of the same sign-in ends, access tokens ' +
      'included; an access token ends alone, everywhere within a second.',
    answer: z.string(),
    problems: { 429: ['rate_limited'] },
    public: true,
  })
  @StreamsBody()
  revoke(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    this.server.pinToIssuer(request);
    return this.answerProgram(request, reply);
  }

  @Post('oauth/device/authorization')
  @HttpCode(200)
  @Operation({
    summary: 'Begin a sign-in on a device without a browser',
    description: 'Device authorisation (RFC 8628 §3.1).',
    answer: deviceAuthorization,
    problems: { 429: ['rate_limited'] },
    public: true,
  })
  @StreamsBody()
  authorizeDevice(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    this.server.pinToIssuer(request);
    return this.answerProgram(request, reply);
  }

  @Get('oauth/device')
  @Operation({ summary: 'Enter the code of a device', answer: page, public: true })
  device(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.handOver(request, reply);
  }

  @Post('oauth/device')
  @HttpCode(200)
  @Operation({ summary: 'Confirm the code of a device', answer: page, public: true })
  @StreamsBody()
  confirmDevice(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.handOver(request, reply);
  }

  @Get('oauth/device/:uid')
  @Operation({ summary: 'Go on after the sign-in for a device', answer: page, public: true })
  resumeDevice(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
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

  private handOver(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    this.server.pinToIssuer(request);
    return this.answer(request, reply);
  }

  /** A program sends a credential of its own, which is looked up. */
  private async answerProgram(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    this.badCredentials.check(request.ip);
    asProgram(request);
    await this.answer(request, reply);
    if (reply.raw.statusCode === 401) {
      await this.badCredentials.note(request.ip);
    }
  }

  private async answer(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    // Whom the door sees, and not what a client says of itself.
    request.raw.headers['x-forwarded-for'] = request.ip;
    reply.hijack();
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      reply.raw.setHeader(name, value ?? '');
    }
    await this.server.answer(request.raw, reply.raw);
  }
}

/**
 * Who asks here is a program, whatever else it takes: it is told what is wrong in JSON (RFC 6749 §5.2),
 * where oidc-provider would make a page of it, and what follows the answer could not read it.
 */
function asProgram({ raw }: FastifyRequest): void {
  raw.headers.accept = 'application/json';
}
