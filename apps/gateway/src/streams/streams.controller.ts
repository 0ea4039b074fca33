import type { IncomingHttpHeaders } from 'node:http';
import {
  Controller,
  Get,
  HttpCode,
  Param,
  Post,
  Query,
  Res,
  UseInterceptors,
} from '@nestjs/common';
import { Access, CurrentPrincipal, Public } from '@soma/auth';
import {
  clientIdentifier,
  type Principal,
  sessionEvent,
  streamQuery,
  type StreamQuery,
  streamTicket,
  type StreamTicket,
} from '@soma/contracts';
import { Operation, type OperationOptions } from '@soma/http';
import { FaultInterceptor } from '@soma/persistence';
import { StreamTickets } from '@soma/sessions';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { READ_SESSION } from '../access/session-rules.ts';
import { pieceExample, streamTicketExample } from '../api-examples.ts';
import { OpenEventStream } from './open-event-stream.ts';
import { EVENTS_ROUTE } from './stream-access.ts';

const resumeHeader = z.object({
  'Last-Event-ID': z.string().optional().meta({
    description: 'The `id` of the last event received; it outranks `cursor`.',
  }),
});

const events: OperationOptions = {
  summary: "Stream a session's events",
  description:
    'Server-sent events, each with the envelope as its data. Without a cursor the stream begins ' +
    'with the message of the oldest unfinished turn, else with the last message. After a cut, ' +
    'send the last `id` as `Last-Event-ID` or `cursor`, to any gateway: the stream goes on with ' +
    'exactly the rest. Comments come as heartbeats. Browsers pass a `ticket`, a new one each time.',
  headers: resumeHeader,
  answer: sessionEvent,
  answerType: 'text/event-stream',
  answerExample: pieceExample,
  problems: {
    400: ['invalid_cursor'],
    401: ['invalid_ticket'],
    404: ['session_not_found'],
    503: ['database_unavailable', 'restarting'],
  },
};

@Controller('v1/session')
@UseInterceptors(FaultInterceptor)
export class StreamsController {
  constructor(
    private readonly openEventStream: OpenEventStream,
    private readonly tickets: StreamTickets,
  ) {}

  // The guard knows no tickets, so who asks is found out when the stream is opened.
  @Public()
  @Access(READ_SESSION)
  @Get(':id/events')
  @Operation(events)
  events(
    @Param('id', { schema: clientIdentifier }) sessionId: string,
    @Query({ schema: streamQuery }) query: StreamQuery,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const { headers, ip: address, id: requestId } = reply.request;
    const cursor = lastEventId(headers) ?? query.cursor;
    const { ticket } = query;
    const asked = { route: EVENTS_ROUTE, sessionId, headers, ticket, cursor, address, requestId };
    return this.openEventStream.execute(asked, reply);
  }

  @Post(':id/stream-ticket')
  @Access(READ_SESSION)
  @HttpCode(201)
  @Operation({
    summary: 'Get a ticket for a stream',
    description:
      'For browsers, whose EventSource and WebSocket cannot send an Authorization header. Pass it ' +
      'as `?ticket=` within 30 seconds; it opens one stream of this session.',
    answer: streamTicket,
    answerExample: streamTicketExample,
    problems: { 404: ['session_not_found'], 503: ['database_unavailable'] },
  })
  async ticket(
    @CurrentPrincipal() principal: Principal,
    @Param('id', { schema: clientIdentifier }) sessionId: string,
  ): Promise<StreamTicket> {
    const { ticket, expiresAt } = await this.tickets.issue(principal, sessionId);
    return { ticket, expires_at: expiresAt.toISOString() };
  }
}

function lastEventId(headers: IncomingHttpHeaders): string | undefined {
  const value = headers['last-event-id'];
  return Array.isArray(value) ? value[0] : value;
}
