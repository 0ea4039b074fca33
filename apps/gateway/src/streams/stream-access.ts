import type { IncomingHttpHeaders } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import {
  AccessControl,
  type AccessRequest,
  Authenticator,
  checkAllowance,
  RateLimiter,
  type RouteTemplate,
} from '@soma/auth';
import { type Cursor, parseCursor, type Principal } from '@soma/contracts';
import { noteTenant } from '@soma/http';
import { Problem } from '@soma/kernel';
import { sessionNotFound, StreamTickets, Timeline } from '@soma/sessions';
import { READ_SESSION } from '../access/session-rules.ts';
import { SessionMerge } from './merge.ts';
import type { StreamStart } from './subscriber.ts';

/** How many rows are looked through for the end of an answer. With more than that it counts as open. */
const LOOK_AHEAD_ROWS = 100;

/** By which streams are opened, over WebSocket and as server-sent events. */
export const SOCKET_ROUTE = { method: 'GET', path: '/v1/session/{id}/stream' };
export const EVENTS_ROUTE = { method: 'GET', path: '/v1/session/{id}/events' };

/** What a client asks for when it opens a stream. */
export interface StreamRequest {
  route: RouteTemplate;
  sessionId: string;
  headers: IncomingHttpHeaders;
  /** Where the request came from. */
  address: string | null;
  requestId: string;
  ticket: string | undefined;
  /** The cursor as it was sent. */
  cursor: string | undefined;
}

/** Who opens a stream, and which one. */
export interface Admission {
  /** What was allowed, to be asked again while the stream is open. */
  asked: AccessRequest;
  start: StreamStart;
}

/** Decides who may open a stream, and where it begins. For both kinds of stream. */
@Injectable()
export class StreamAccess {
  constructor(
    @Inject(Authenticator) private readonly authenticator: Authenticator,
    @Inject(AccessControl) private readonly access: AccessControl,
    @Inject(RateLimiter) private readonly limiter: RateLimiter,
    private readonly tickets: StreamTickets,
    private readonly timeline: Timeline,
  ) {}

  /**
   * @throws {@link Problem} 400 `invalid_cursor`, 401 for want of a credential, 404
   *   `session_not_found`, and what `AccessControl` throws
   */
  async admit(request: StreamRequest): Promise<Admission> {
    const principal = await this.principalOf(request);
    const { tenant_id: tenantId } = principal;
    noteTenant(tenantId);
    checkAllowance(await this.limiter.spend(principal));
    const { route, sessionId, cursor, address, requestId } = request;
    const asked = { principal, rule: READ_SESSION, route, objectId: sessionId, address, requestId };
    await this.access.authorize(asked);
    const position = await this.positionOf(tenantId, sessionId, cursor);
    return { asked, start: { tenantId, sessionId, position } };
  }

  private async principalOf({
    sessionId,
    headers,
    address,
    ticket,
  }: StreamRequest): Promise<Principal> {
    if (ticket === undefined) {
      return this.authenticator.authenticate(headers, address ?? undefined);
    }
    const principal = await this.tickets.take(ticket, sessionId);
    if (principal === null) {
      throw new Problem({
        status: 401,
        code: 'invalid_ticket',
        detail: 'The ticket is unknown, used, expired or of another session. Ask for a new one.',
      });
    }
    return principal;
  }

  private async positionOf(
    tenantId: string,
    sessionId: string,
    cursor: string | undefined,
  ): Promise<Cursor> {
    const session = await this.timeline.find(tenantId, sessionId);
    if (session === null) {
      throw sessionNotFound(sessionId);
    }
    if (cursor === undefined) {
      const { seq } = await this.timeline.streamStart(tenantId, sessionId);
      // All of that row: if it opened an answer, its text belongs to what came before.
      return { seq, offset: Number.MAX_SAFE_INTEGER };
    }
    const position = parseCursor(cursor);
    if (
      position === null ||
      position.seq > session.lastSeq ||
      !(await this.isInText(tenantId, sessionId, position))
    ) {
      throw new Problem({
        status: 400,
        code: 'invalid_cursor',
        detail:
          'The cursor is none of this session. Send one exactly as it was received, 0 for the ' +
          'beginning, or none.',
      });
    }
    return position;
  }

  private async isInText(tenantId: string, sessionId: string, position: Cursor): Promise<boolean> {
    if (position.offset === 0) {
      return true;
    }
    const before = Math.max(position.seq - 1, 0);
    const page = { seq: before, limit: LOOK_AHEAD_ROWS };
    const merge = new SessionMerge(before);
    for (const row of await this.timeline.rowsAfter(tenantId, sessionId, page)) {
      merge.row(row);
    }
    return merge.contains(position);
  }
}
