import { Injectable } from '@nestjs/common';
import type { ClientFrame, Principal, ServerReply } from '@soma/contracts';
import { AcceptAction } from '../messages/accept-action.ts';
import { AcceptMessage } from '../messages/accept-message.ts';
import { CancelTurn } from '../sessions/cancel-turn.ts';

/** What a client may ask over its WebSocket: the same as over HTTP, for the session of the stream. */
@Injectable()
export class SessionCommands {
  constructor(
    private readonly acceptMessage: AcceptMessage,
    private readonly acceptAction: AcceptAction,
    private readonly cancelTurn: CancelTurn,
  ) {}

  async execute(principal: Principal, sessionId: string, frame: ClientFrame): Promise<ServerReply> {
    const { request_id = null, idempotency_key: key } = frame;
    switch (frame.type) {
      case 'message': {
        const request = { ...bodyOf(frame), session_id: sessionId };
        const accepted = await this.acceptMessage.execute(principal, request, key);
        return { type: 'reply.accepted', request_id, ...accepted };
      }
      case 'action': {
        const request = { ...bodyOf(frame), session_id: sessionId };
        const accepted = await this.acceptAction.execute(principal, request, key);
        return { type: 'reply.accepted', request_id, ...accepted };
      }
      case 'cancel': {
        const request = { ...bodyOf(frame), session_id: sessionId };
        const cancelled = await this.cancelTurn.execute(principal, request, key);
        return { type: 'reply.cancelled', request_id, ...cancelled };
      }
    }
  }
}

const FRAME_FIELDS = ['type', 'request_id', 'idempotency_key'] as const;

/** The frame as the body that the same request has over HTTP, so that both share one hash. */
function bodyOf<Body extends ClientFrame>(frame: Body): Omit<Body, (typeof FRAME_FIELDS)[number]> {
  const body = { ...frame };
  FRAME_FIELDS.forEach((name) => {
    Reflect.deleteProperty(body, name);
  });
  return body;
}
