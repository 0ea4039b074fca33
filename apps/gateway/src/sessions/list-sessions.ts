import { Inject, Injectable } from '@nestjs/common';
import { AccessControl } from '@soma/auth';
import type { Principal, SessionList, SessionListQuery } from '@soma/contracts';
import { Sessions } from '@soma/sessions';

/** Lists the sessions that somebody may see: people their own, services those of their tenant. */
@Injectable()
export class ListSessions {
  constructor(
    private readonly sessions: Sessions,
    @Inject(AccessControl) private readonly access: AccessControl,
  ) {}

  /** @throws {@link Problem} 400 `invalid_cursor`, 502 `relationships_unavailable` */
  async execute(principal: Principal, query: SessionListQuery): Promise<SessionList> {
    const { tenant_id, role, subject } = principal;
    const createdBy = role === undefined ? undefined : subject;
    const page = await this.sessions.list(tenant_id, { ...query, createdBy });
    const owned = page.sessions.map(({ session_id: id, created_by: owner }) => ({ id, owner }));
    const mayRead = await this.access.mayRead(principal, 'session', owned);
    return { ...page, sessions: page.sessions.filter((_session, index) => mayRead[index]) };
  }
}
