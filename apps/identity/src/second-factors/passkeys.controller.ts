import { Body, Controller, Delete, Get, HttpCode, Param, Post } from '@nestjs/common';
import { Access, type Author, CurrentAuthor, CurrentPrincipal } from '@soma/auth';
import { type Principal, timestamp } from '@soma/contracts';
import { Operation } from '@soma/http';
import { z } from 'zod';
import { BeginPasskeyRegistration } from './begin-passkey-registration.ts';
import { ListPasskeys } from './list-passkeys.ts';
import { passkeyId, registrationResponse } from './passkey-messages.ts';
import { RegisterPasskey } from './register-passkey.ts';
import { RemovePasskey } from './remove-passkey.ts';

const passkey = z.object({
  passkey_id: z.string(),
  name: z.string(),
  created_at: timestamp,
  last_used_at: timestamp.nullable(),
});
const passkeyList = z.object({ passkeys: z.array(passkey) });

const registration = z.strictObject({
  name: z.string().trim().min(1).max(100),
  response: registrationResponse,
});

/** What goes to `navigator.credentials`, as WebAuthn Level 3 names it. */
const options = z.looseObject({ challenge: z.string() });

const own = { scope: null, resource: 'account' } as const;

@Controller('api/auth/mfa/passkeys')
export class PasskeysController {
  constructor(
    private readonly listPasskeys: ListPasskeys,
    private readonly begin: BeginPasskeyRegistration,
    private readonly registerPasskey: RegisterPasskey,
    private readonly removePasskey: RemovePasskey,
  ) {}

  @Get()
  @Access(own)
  @Operation({
    summary: 'List your passkeys',
    answer: passkeyList,
    problems: { 403: ['person_required'] },
  })
  async list(@CurrentPrincipal() principal: Principal): Promise<z.output<typeof passkeyList>> {
    return { passkeys: await this.listPasskeys.execute(principal) };
  }

  @Post('registration')
  @HttpCode(200)
  @Access(own)
  @Operation({
    summary: 'Begin to register a passkey',
    description:
      'Answers what `PublicKeyCredential.parseCreationOptionsFromJSON` takes, good for 5 minutes. ' +
      'Needs a sign-in of the last minutes, with the second factor of who has one.',
    answer: options,
    problems: { 401: ['step_up_required'], 403: ['person_required'] },
  })
  async beginRegistration(
    @CurrentPrincipal() principal: Principal,
  ): Promise<z.output<typeof options>> {
    return { ...(await this.begin.execute(principal)) };
  }

  @Post()
  @Access(own)
  @Operation({
    summary: 'Register a passkey',
    description: 'With what the `toJSON()` of the new credential gave.',
    answer: z.object({ passkey_id: z.string() }),
    problems: { 401: ['step_up_required'], 403: ['person_required', 'second_factor_refused'] },
  })
  async register(
    @CurrentAuthor() { principal, origin }: Author,
    @Body({ schema: registration }) request: z.output<typeof registration>,
  ): Promise<{ passkey_id: string }> {
    return { passkey_id: await this.registerPasskey.execute(principal, request, origin) };
  }

  @Delete(':id')
  @HttpCode(204)
  @Access(own)
  @Operation({
    summary: 'Remove a passkey',
    problems: { 401: ['step_up_required'], 403: ['person_required'], 404: ['passkey_not_found'] },
  })
  remove(
    @CurrentAuthor() { principal, origin }: Author,
    @Param('id', { schema: passkeyId }) id: string,
  ): Promise<void> {
    return this.removePasskey.execute(principal, id, origin);
  }
}
