import { Injectable } from '@nestjs/common';
import type { Author } from '@soma/auth';
import { Sessions } from '@soma/sessions';
import { AdminTrail } from '../runtime/admin-trail.ts';

/** Erases a session for good. */
@Injectable()
export class DeleteSession {
  constructor(
    private readonly sessions: Sessions,
    private readonly trail: AdminTrail,
  ) {}

  /** @throws {@link Problem} 404 `session_not_found` */
  execute(author: Author, sessionId: string): Promise<void> {
    const line = this.trail.line('session.deleted', author);
    return this.sessions.delete(author.principal, sessionId, line);
  }
}
