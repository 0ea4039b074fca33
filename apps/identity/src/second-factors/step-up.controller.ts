import { Body, Controller, HttpCode, Post, Req } from '@nestjs/common';
import { Access, type Author, CurrentAuthor, CurrentPrincipal, RateLimited } from '@soma/auth';
import type { Principal } from '@soma/contracts';
import { Operation } from '@soma/http';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type StepUpToken, StepUpTokens } from '../oauth/step-up-tokens.ts';
import { BeginPasskeyProof } from './begin-passkey-proof.ts';
import { clientOfBearer } from './client-of-bearer.ts';
import { FactorChanges } from './factor-changes.ts';
import { proofResponse } from './passkey-messages.ts';
import { VerifyCode } from './verify-code.ts';
import { VerifyPasskey } from './verify-passkey.ts';

const proof = z.union([
  z.strictObject({ code: z.string().min(1).max(64) }),
  z.strictObject({ passkey: proofResponse }),
]);

const stepUpToken = z.object({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.int().meta({ description: 'In seconds.' }),
});

const own = { scope: null, resource: 'account' } as const;

@Controller('api/auth/mfa')
export class StepUpController {
  constructor(
    private readonly changes: FactorChanges,
    private readonly beginProof: BeginPasskeyProof,
    private readonly verifyCode: VerifyCode,
    private readonly verifyPasskey: VerifyPasskey,
    private readonly tokens: StepUpTokens,
  ) {}

  @Post('passkeys/proof')
  @HttpCode(200)
  @Access(own)
  @Operation({
    summary: 'Begin to prove a passkey',
    description: 'Answers what `PublicKeyCredential.parseRequestOptionsFromJSON` takes.',
    answer: z.looseObject({ challenge: z.string() }),
    problems: { 403: ['person_required'] },
  })
  async begin(@CurrentPrincipal() principal: Principal): Promise<object> {
    return this.beginProof.execute(this.changes.userOf(principal));
  }

  @Post('verify')
  @RateLimited('sign_in')
  @HttpCode(200)
  @Access(own)
  @Operation({
    summary: 'Prove your second factor',
    description:
      'With a code of the app or a recovery code (`code`), or with what the `toJSON()` of a passkey ' +
      'gave (`passkey`). Answers an access token that is good for what demands a step-up (RFC 9470).',
    bodyExample: { code: '123456' },
    answer: stepUpToken,
    problems: {
      403: ['person_required', 'second_factor_refused', 'step_up_elsewhere'],
      429: ['rate_limited', 'second_factor_locked'],
    },
  })
  async verify(
    @Req() request: FastifyRequest,
    @CurrentAuthor() { principal, origin }: Author,
    @Body({ schema: proof }) body: z.output<typeof proof>,
  ): Promise<StepUpToken> {
    const userId = this.changes.userOf(principal);
    const factor =
      'code' in body
        ? await this.verifyCode.execute(userId, body.code, origin)
        : await this.verifyPasskey.execute(userId, body.passkey, origin);
    return this.tokens.issue({ principal, clientId: clientOfBearer(request), ...factor });
  }
}
