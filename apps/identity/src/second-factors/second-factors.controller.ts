import { Body, Controller, Delete, Get, HttpCode, Post } from '@nestjs/common';
import { Access, type Author, CurrentAuthor, CurrentPrincipal } from '@soma/auth';
import { type Principal, timestamp } from '@soma/contracts';
import { Operation } from '@soma/http';
import { z } from 'zod';
import { ConfirmTotp } from './confirm-totp.ts';
import { EnrolTotp } from './enrol-totp.ts';
import { FactorChanges } from './factor-changes.ts';
import { RemoveTotp } from './remove-totp.ts';
import { RenewRecoveryCodes } from './renew-recovery-codes.ts';
import type { TotpEnrolment } from './totp.ts';

const summary = z.object({
  totp_confirmed_at: timestamp.nullable(),
  passkeys: z.int(),
  recovery_codes_left: z.int(),
});

const enrolment = z.object({
  secret: z.string().meta({ description: 'In base32, for who types it in.' }),
  otpauth_url: z.string(),
  qr_code: z.string().meta({ description: 'The same as a picture: a `data:` URL.' }),
});

const confirmation = z.strictObject({ code: z.string().min(1).max(64) });

const recoveryCodes = z.object({
  recovery_codes: z.array(z.string()).meta({ description: 'Shown this once.' }),
});
type RecoveryCodes = z.output<typeof recoveryCodes>;

/** Everybody who has signed in keeps their own. */
const own = { scope: null, resource: 'account' } as const;

@Controller('api/auth/mfa')
export class SecondFactorsController {
  constructor(
    private readonly changes: FactorChanges,
    private readonly enrolTotp: EnrolTotp,
    private readonly confirmTotp: ConfirmTotp,
    private readonly removeTotp: RemoveTotp,
    private readonly renewRecoveryCodes: RenewRecoveryCodes,
  ) {}

  @Get()
  @Access(own)
  @Operation({
    summary: 'What second factors you have',
    answer: summary,
    problems: { 403: ['person_required'] },
  })
  async show(@CurrentPrincipal() principal: Principal): Promise<z.output<typeof summary>> {
    const found = await this.changes.summaryOf(this.changes.userOf(principal));
    return { ...found, totp_confirmed_at: found.totp_confirmed_at?.toISOString() ?? null };
  }

  @Post('totp')
  @HttpCode(200)
  @Access(own)
  @Operation({
    summary: 'Begin to set up an authenticator app',
    description:
      'The app counts once a code has confirmed it. Needs a sign-in of the last minutes.',
    answer: enrolment,
    problems: { 401: ['step_up_required'], 403: ['person_required'], 409: ['totp_exists'] },
  })
  enrol(@CurrentAuthor() { principal, origin }: Author): Promise<TotpEnrolment> {
    return this.enrolTotp.execute(principal, origin);
  }

  @Post('totp/confirm')
  @HttpCode(200)
  @Access(own)
  @Operation({
    summary: 'Confirm the app by a code that it shows',
    description: 'Answers ten recovery codes, each good for one sign-in without the app.',
    bodyExample: { code: '123456' },
    answer: recoveryCodes,
    problems: {
      403: ['person_required', 'second_factor_refused'],
      409: ['totp_not_begun'],
      429: ['second_factor_locked'],
    },
  })
  async confirm(
    @CurrentAuthor() { principal, origin }: Author,
    @Body({ schema: confirmation }) { code }: z.output<typeof confirmation>,
  ): Promise<RecoveryCodes> {
    return { recovery_codes: await this.confirmTotp.execute(principal, code, origin) };
  }

  @Delete('totp')
  @HttpCode(204)
  @Access(own)
  @Operation({
    summary: 'Remove the app',
    problems: { 401: ['step_up_required'], 403: ['person_required'], 404: ['totp_not_found'] },
  })
  remove(@CurrentAuthor() { principal, origin }: Author): Promise<void> {
    return this.removeTotp.execute(principal, origin);
  }

  @Post('recovery-codes')
  @HttpCode(200)
  @Access(own)
  @Operation({
    summary: 'Get new recovery codes in the place of the old ones',
    answer: recoveryCodes,
    problems: { 401: ['step_up_required'], 403: ['person_required'], 409: ['no_second_factor'] },
  })
  async renew(@CurrentAuthor() { principal, origin }: Author): Promise<RecoveryCodes> {
    return { recovery_codes: await this.renewRecoveryCodes.execute(principal, origin) };
  }
}
