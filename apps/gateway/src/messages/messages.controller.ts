import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { Access, idempotencyHeader } from '@soma/auth';
import {
  accepted,
  type Accepted,
  actionRequest,
  type ActionRequest,
  messageRequest,
  type MessageRequest,
} from '@soma/contracts';
import { Operation } from '@soma/http';
import { ACT_ON_SESSION, SPEAK_IN_SESSION } from '../access/session-rules.ts';
import { acceptedExample } from '../api-examples.ts';
import { type Caller, CurrentCaller } from '../runtime/caller.ts';
import { AcceptAction } from './accept-action.ts';
import { AcceptMessage } from './accept-message.ts';

const acceptProblems = {
  400: ['invalid_idempotency_key'],
  403: ['tenant_mismatch'],
  409: ['session_deleted', 'idempotency_conflict'],
  502: ['outbox_full'],
  503: ['database_unavailable', 'overloaded'],
};

@Controller('v1/session')
export class MessagesController {
  constructor(
    private readonly acceptMessage: AcceptMessage,
    private readonly acceptAction: AcceptAction,
  ) {}

  @Post('message')
  @Access(SPEAK_IN_SESSION)
  @HttpCode(202)
  @Operation({
    summary: 'Send a message',
    description:
      'Stores the message and has it answered. Read the answer on `GET /v1/session/{id}/events`, ' +
      'from the cursor of this answer on or without one.',
    headers: idempotencyHeader,
    bodyExample: { message: 'What did we agree on yesterday?', metadata: { source: 'mail' } },
    answer: accepted,
    answerExample: acceptedExample,
    problems: {
      ...acceptProblems,
      422: [
        'reserved_metadata',
        'storage_not_configured',
        'invalid_attachments',
        'output_schema_invalid',
        'persona_not_found',
      ],
    },
  })
  message(
    @CurrentCaller() caller: Caller,
    @Body({ schema: messageRequest }) request: MessageRequest,
  ): Promise<Accepted> {
    return this.acceptMessage.execute(caller, request);
  }

  @Post('action')
  @Access(ACT_ON_SESSION)
  @HttpCode(202)
  @Operation({
    summary: 'Ask for a summary, next steps or a status report',
    description:
      "Works on all of the session's timeline, of which the model is told the older part as a summary. Its answer is streamed like any other.",
    headers: idempotencyHeader,
    bodyExample: { session_id: 'kick-off', action: 'summarize' },
    answer: accepted,
    answerExample: { ...acceptedExample, session_id: 'kick-off', cursor: '7.0' },
    problems: {
      ...acceptProblems,
      404: ['session_not_found'],
      422: ['unknown_action', 'reserved_metadata', 'persona_not_found'],
    },
  })
  action(
    @CurrentCaller() caller: Caller,
    @Body({ schema: actionRequest }) request: ActionRequest,
  ): Promise<Accepted> {
    return this.acceptAction.execute(caller, request);
  }
}
