import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Param,
  Patch,
  Query,
  UseInterceptors,
} from '@nestjs/common';
import { Access, type Caller, CurrentCaller, CurrentPrincipal, ifMatchHeader } from '@soma/auth';
import {
  member,
  type Member,
  memberList,
  type MemberList,
  memberListQuery,
  type MemberListQuery,
  type Principal,
  updateMemberRequest,
  type UpdateMemberRequest,
  toPage,
} from '@soma/contracts';
import { Operation } from '@soma/http';
import { FaultInterceptor, TenantTransaction } from '@soma/persistence';
import { z } from 'zod';
import { ChangeRole } from './change-role.ts';
import { MemberRows } from './member-rows.ts';
import { RemoveMember } from './remove-member.ts';

const unavailable = { 503: ['database_unavailable'] };
const problemsOfChange = {
  403: ['role_exceeds_own'],
  404: ['member_not_found', 'tenant_not_found'],
  409: ['last_owner'],
  412: ['version_mismatch'],
  ...unavailable,
};

@Controller('v1/members')
@UseInterceptors(FaultInterceptor)
export class MembersController {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly members: MemberRows,
    private readonly changeRole: ChangeRole,
    private readonly removeMember: RemoveMember,
  ) {}

  @Get()
  @Access({ scope: 'members:read', resource: 'member' })
  @Operation({ summary: 'List members', answer: memberList, problems: unavailable })
  async list(
    @CurrentPrincipal() { tenant_id }: Principal,
    @Query({ schema: memberListQuery }) { limit, cursor }: MemberListQuery,
  ): Promise<MemberList> {
    const members = await this.transaction.run(tenant_id, (manager) =>
      this.members.list(manager, tenant_id, { limit: limit + 1, cursor }),
    );
    const { items, next_cursor } = toPage(members, limit, ({ user_id }) => user_id);
    return { members: items, next_cursor };
  }

  @Get(':id')
  @Access({ scope: 'members:read', resource: 'member' })
  @Operation({
    summary: 'Look a member up',
    answer: member,
    problems: { 404: ['member_not_found'], ...unavailable },
  })
  find(
    @CurrentPrincipal() { tenant_id }: Principal,
    @Param('id', { schema: z.uuid() }) id: string,
  ): Promise<Member> {
    return this.transaction.run(tenant_id, (manager) => this.members.find(manager, tenant_id, id));
  }

  @Patch(':id')
  @Access({ scope: 'members:write', resource: 'member' })
  @Operation({
    summary: 'Change a member’s role',
    description:
      'Within a second no service takes a token that the person was given before. Nobody gives or ' +
      'takes a role that is good for more than their own.',
    headers: ifMatchHeader,
    bodyExample: { role: 'admin' },
    answer: member,
    problems: problemsOfChange,
  })
  update(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: z.uuid() }) userId: string,
    @Body({ schema: updateMemberRequest }) { role }: UpdateMemberRequest,
  ): Promise<Member> {
    return this.changeRole.execute(caller, { userId, role });
  }

  @Delete(':id')
  @HttpCode(204)
  @Access({ scope: 'members:write', resource: 'member' })
  @Operation({
    summary: 'Remove a member',
    description: 'Within a second no service takes a token of the person for this tenant.',
    headers: ifMatchHeader,
    problems: problemsOfChange,
  })
  remove(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: z.uuid() }) userId: string,
  ): Promise<void> {
    return this.removeMember.execute(caller, userId);
  }
}
