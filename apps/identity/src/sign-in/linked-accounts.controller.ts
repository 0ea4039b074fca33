import { Controller, Delete, Get, HttpCode, Param } from '@nestjs/common';
import { Access, type Author, CurrentAuthor, CurrentPrincipal } from '@soma/auth';
import { type Principal, timestamp } from '@soma/contracts';
import { Operation } from '@soma/http';
import { z } from 'zod';
import { ListLinkedAccounts } from './list-linked-accounts.ts';
import { providerName, type ProviderName } from './providers/identity-provider.ts';
import { UnlinkAccount } from './unlink-account.ts';

const accountList = z.object({
  accounts: z.array(
    z.object({
      provider: providerName,
      email: z.string(),
      linked_at: timestamp,
      last_used_at: timestamp,
    }),
  ),
});

const own = { scope: null, resource: 'account' } as const;

@Controller('api/auth/accounts')
export class LinkedAccountsController {
  constructor(
    private readonly listLinkedAccounts: ListLinkedAccounts,
    private readonly unlinkAccount: UnlinkAccount,
  ) {}

  @Get()
  @Access(own)
  @Operation({
    summary: 'List the accounts that you sign in with',
    answer: accountList,
    problems: { 403: ['person_required'] },
  })
  async list(@CurrentPrincipal() principal: Principal): Promise<z.output<typeof accountList>> {
    return { accounts: await this.listLinkedAccounts.execute(principal) };
  }

  @Delete(':provider')
  @HttpCode(204)
  @Access(own)
  @Operation({
    summary: 'Sign in with an account no more',
    problems: {
      401: ['step_up_required'],
      403: ['person_required'],
      404: ['account_not_linked'],
      409: ['last_account'],
    },
  })
  unlink(
    @CurrentAuthor() { principal, origin }: Author,
    @Param('provider', { schema: providerName }) provider: ProviderName,
  ): Promise<void> {
    return this.unlinkAccount.execute(principal, provider, origin);
  }
}
