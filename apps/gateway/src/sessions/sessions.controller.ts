import {
  Body,
  Controller,
  Delete,
  Get,
  Header,
  HttpCode,
  Param,
  Post,
  Query,
  UseInterceptors,
} from '@nestjs/common';
import {
  Access,
  type Author,
  CurrentAuthor,
  CurrentPrincipal,
  idempotencyHeader,
} from '@soma/auth';
import {
  cancelled,
  type Cancelled,
  cancelRequest,
  type CancelRequest,
  clientIdentifier,
  type Principal,
  session,
  type Session,
  sessionList,
  type SessionList,
  sessionListQuery,
  type SessionListQuery,
  timeline,
  timelineQuery,
  type TimelineQuery,
} from '@soma/contracts';
import { Operation } from '@soma/http';
import { FaultInterceptor } from '@soma/persistence';
import { sessionNotFound, Sessions } from '@soma/sessions';
import { READ_SESSION, WRITE_SESSION } from '../access/session-rules.ts';
import {
  cancelledExample,
  sessionExample,
  sessionListExample,
  timelineExample,
} from '../api-examples.ts';
import { type Caller, CurrentCaller } from '../runtime/caller.ts';
import { CancelTurn } from './cancel-turn.ts';
import { DeleteSession } from './delete-session.ts';
import { ListSessions } from './list-sessions.ts';
import { ReadTimeline } from './read-timeline.ts';

const unavailable = { 503: ['database_unavailable'] };

@Controller('v1/session')
@UseInterceptors(FaultInterceptor)
export class SessionsController {
  constructor(
    private readonly sessions: Sessions,
    private readonly listSessions: ListSessions,
    private readonly readTimeline: ReadTimeline,
    private readonly cancelTurn: CancelTurn,
    private readonly deleteSession: DeleteSession,
  ) {}

  @Get()
  @Access({ scope: 'sessions:read', resource: 'session' })
  @Operation({
    summary: 'List sessions',
    description: 'The newest first: people see their own, services those of their tenant.',
    answer: sessionList,
    answerExample: sessionListExample,
    problems: { 400: ['invalid_cursor'], ...unavailable },
  })
  list(
    @CurrentPrincipal() principal: Principal,
    @Query({ schema: sessionListQuery }) query: SessionListQuery,
  ): Promise<SessionList> {
    return this.listSessions.execute(principal, query);
  }

  @Get(':id')
  @Access(READ_SESSION)
  @Operation({
    summary: 'Look a session up',
    answer: session,
    answerExample: sessionExample,
    problems: { 404: ['session_not_found'], ...unavailable },
  })
  async find(
    @CurrentPrincipal() principal: Principal,
    @Param('id', { schema: clientIdentifier }) id: string,
  ): Promise<Session> {
    const found = await this.sessions.find(principal.tenant_id, id);
    if (found === null) {
      throw sessionNotFound(id);
    }
    return found;
  }

  @Get(':id/timeline')
  @Access(READ_SESSION)
  @Operation({
    summary: "Read a session's timeline",
    description: 'The rows after `cursor`, in their order. A session has no other history.',
    answer: timeline,
    answerExample: timelineExample,
    problems: { 404: ['session_not_found'], ...unavailable },
  })
  @Header('content-type', 'application/json; charset=utf-8')
  timeline(
    @CurrentPrincipal() principal: Principal,
    @Param('id', { schema: clientIdentifier }) id: string,
    @Query({ schema: timelineQuery }) query: TimelineQuery,
  ): Promise<string> {
    return this.readTimeline.execute(principal, id, query);
  }

  @Post(':id/cancel')
  @Access(WRITE_SESSION)
  @HttpCode(200)
  @Operation({
    summary: 'Cancel a turn',
    description: 'Ends the turn that is named, else the one that runs or waits. Queued ones stay.',
    headers: idempotencyHeader,
    bodyExample: { turn_id: cancelledExample.turn_id },
    answer: cancelled,
    answerExample: cancelledExample,
    problems: {
      400: ['invalid_idempotency_key'],
      404: ['session_not_found', 'turn_not_found'],
      409: ['turn_ended', 'idempotency_conflict'],
      ...unavailable,
    },
  })
  cancel(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: clientIdentifier }) id: string,
    @Body({ schema: cancelRequest.optional() }) request: CancelRequest = {},
  ): Promise<Cancelled> {
    return this.cancelTurn.execute(caller, { ...request, session_id: id });
  }

  @Delete(':id')
  @Access(WRITE_SESSION)
  @HttpCode(204)
  @Operation({
    summary: 'Delete a session',
    description: 'Ends its turns and erases its content for good. Its id is never used again.',
    problems: { 404: ['session_not_found'], ...unavailable },
  })
  remove(
    @CurrentAuthor() author: Author,
    @Param('id', { schema: clientIdentifier }) id: string,
  ): Promise<void> {
    return this.deleteSession.execute(author, id);
  }
}
