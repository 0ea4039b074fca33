import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Param,
  Post,
  Query,
  UseInterceptors,
} from '@nestjs/common';
import {
  Access,
  type Author,
  type Caller,
  CurrentAuthor,
  CurrentCaller,
  CurrentPrincipal,
  idempotencyHeader,
} from '@soma/auth';
import {
  acceptInvitationRequest,
  type AcceptInvitationRequest,
  createdInvitation,
  type CreatedInvitation,
  createInvitationRequest,
  type CreateInvitationRequest,
  invitationList,
  type InvitationList,
  memberListQuery,
  type MemberListQuery,
  membership,
  type Membership,
  type Principal,
  toPage,
} from '@soma/contracts';
import { Operation } from '@soma/http';
import { Problem, Secret } from '@soma/kernel';
import { FaultInterceptor, TenantTransaction } from '@soma/persistence';
import { z } from 'zod';
import { AcceptInvitation } from './accept-invitation.ts';
import { CreateInvitation } from './create-invitation.ts';
import { Invitations } from './invitations.ts';
import { RevokeInvitation } from './revoke-invitation.ts';
import { type User, Users } from './users.ts';

const unavailable = { 503: ['database_unavailable'] };

@Controller('v1/members/invitations')
@UseInterceptors(FaultInterceptor)
export class InvitationsController {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly invitations: Invitations,
    private readonly createInvitation: CreateInvitation,
    private readonly revokeInvitation: RevokeInvitation,
    private readonly acceptInvitation: AcceptInvitation,
    private readonly users: Users,
  ) {}

  @Post()
  @Access({ scope: 'members:write', resource: 'member' })
  @Operation({
    summary: 'Invite somebody',
    description:
      'The answer shows the token, this once: hand it to the person, who accepts with it within ' +
      'seven days. It replaces an open invitation of the same address.',
    headers: idempotencyHeader,
    bodyExample: { email: 'ann@example.com', role: 'member' },
    answer: createdInvitation,
    problems: {
      403: ['role_exceeds_own'],
      404: ['tenant_not_found'],
      409: ['already_member', 'idempotency_conflict'],
      ...unavailable,
    },
  })
  create(
    @CurrentCaller() caller: Caller,
    @Body({ schema: createInvitationRequest }) request: CreateInvitationRequest,
  ): Promise<CreatedInvitation> {
    return this.createInvitation.execute(caller, request);
  }

  @Get()
  @Access({ scope: 'members:read', resource: 'member' })
  @Operation({ summary: 'List open invitations', answer: invitationList, problems: unavailable })
  async list(
    @CurrentPrincipal() { tenant_id }: Principal,
    @Query({ schema: memberListQuery }) { limit, cursor }: MemberListQuery,
  ): Promise<InvitationList> {
    const open = await this.transaction.run(tenant_id, (manager) =>
      this.invitations.list(manager, tenant_id, { limit: limit + 1, cursor }),
    );
    const { items, next_cursor } = toPage(open, limit, ({ invitation_id }) => invitation_id);
    return { invitations: items, next_cursor };
  }

  @Post('accept')
  @HttpCode(200)
  @Access({ scope: null, resource: 'account' })
  @Operation({
    summary: 'Accept an invitation',
    description: 'For the person whose verified e-mail address was invited, once.',
    bodyExample: { token: 'inv_…' },
    answer: membership,
    problems: {
      403: ['email_not_verified', 'person_required'],
      404: ['invitation_not_found'],
      409: ['already_member'],
      ...unavailable,
    },
  })
  async accept(
    @CurrentAuthor() { principal, origin }: Author,
    @Body({ schema: acceptInvitationRequest }) { token }: AcceptInvitationRequest,
  ): Promise<Membership> {
    const user = await this.personOf(principal);
    return this.acceptInvitation.execute(user, new Secret(token), origin);
  }

  @Delete(':id')
  @HttpCode(204)
  @Access({ scope: 'members:write', resource: 'member' })
  @Operation({
    summary: 'Revoke an invitation',
    problems: { 404: ['invitation_not_found'], ...unavailable },
  })
  revoke(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: z.uuid() }) id: string,
  ): Promise<void> {
    return this.revokeInvitation.execute(caller, id);
  }

  private async personOf({ subject, role }: Principal): Promise<User> {
    const isPerson = role !== undefined && z.uuid().safeParse(subject).success;
    const user = isPerson ? await this.users.find(subject) : undefined;
    if (user === undefined) {
      throw new Problem({
        status: 403,
        code: 'person_required',
        detail: 'Only people accept invitations. Sign in as the person who was invited.',
      });
    }
    return user;
  }
}
