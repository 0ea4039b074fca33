import { Injectable } from '@nestjs/common';
import {
  formatCursor,
  parseCursor,
  type Principal,
  START,
  type TimelineQuery,
} from '@soma/contracts';
import { sessionNotFound, Timeline } from '@soma/sessions';

/** Reads a page of a session's rows. */
@Injectable()
export class ReadTimeline {
  constructor(private readonly timeline: Timeline) {}

  /**
   * @returns JSON text: the rows stand in it as they were written, unparsed.
   * @throws {@link Problem} 404 `session_not_found`
   */
  async execute(principal: Principal, sessionId: string, query: TimelineQuery): Promise<string> {
    const { limit } = query;
    const session = await this.timeline.find(principal.tenant_id, sessionId);
    if (session === null) {
      throw sessionNotFound(sessionId);
    }
    const after = parseCursor(query.cursor ?? '') ?? START;
    const rows = await this.timeline.rowsAfter(principal.tenant_id, sessionId, {
      // A cursor may lie beyond all that a session can hold, and beyond what SQL takes for a number.
      seq: Math.min(after.seq, session.lastSeq),
      limit: limit + 1,
    });
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    const next = rows.length > limit && last ? formatCursor({ seq: last.seq, offset: 0 }) : null;
    const events = page.map(({ envelope }) => envelope).join(',');
    return `{"events":[${events}],"next_cursor":${JSON.stringify(next)}}`;
  }
}
