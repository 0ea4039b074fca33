import { Inject, Injectable } from '@nestjs/common';
import {
  AccessControl,
  type AccessRule,
  checkAllowance,
  RateLimiter,
  type RouteTemplate,
} from '@soma/auth';
import type { ClientFrame, Principal, ServerReply } from '@soma/contracts';
import { ACT_ON_SESSION, SPEAK_IN_SESSION, WRITE_SESSION } from '../access/session-rules.ts';
import { AcceptAction } from '../messages/accept-action.ts';
import { AcceptMessage } from '../messages/accept-message.ts';
import type { Caller } from '../runtime/caller.ts';
import { CancelTurn } from '../sessions/cancel-turn.ts';

/** The route that does over HTTP what a frame asks for, by whose rule the frame is judged too. */
const ROUTES: Record<ClientFrame['type'], { rule: AccessRule; route: RouteTemplate }> = {
  message: { rule: SPEAK_IN_SESSION, route: { method: 'POST', path: '/v1/session/message' } },
  action: { rule: ACT_ON_SESSION, route: { method: 'POST', path: '/v1/session/action' } },
  cancel: { rule: WRITE_SESSION, route: { method: 'POST', path: '/v1/session/{id}/cancel' } },
};

/** Whose frames come over a stream. */
export interface FrameSender {
  principal: Principal;
  sessionId: string;
  address: string | null;
}

/** What a client may ask over its WebSocket: the same as over HTTP, for the session of the stream. */
@Injectable()
export class SessionCommands {
  constructor(
    @Inject(AccessControl) private readonly access: AccessControl,
    @Inject(RateLimiter) private readonly limiter: RateLimiter,
    private readonly acceptMessage: AcceptMessage,
    private readonly acceptAction: AcceptAction,
    private readonly cancelTurn: CancelTurn,
  ) {}

  /** @throws {@link Problem} as the route of the same request does */
  async execute(sender: FrameSender, frame: ClientFrame): Promise<ServerReply> {
    const { principal, sessionId, address } = sender;
    const { request_id = null, idempotency_key: idempotencyKey } = frame;
    checkAllowance(await this.limiter.spend(principal));
    const { beginsOwn } = await this.access.authorize({
      principal,
      ...ROUTES[frame.type],
      objectId: sessionId,
      address,
      requestId: request_id,
    });
    const caller: Caller = { principal, idempotencyKey, beginsOwn };
    switch (frame.type) {
      case 'message': {
        const request = { ...bodyOf(frame), session_id: sessionId };
        const accepted = await this.acceptMessage.execute(caller, request);
        return { type: 'reply.accepted', request_id, ...accepted };
      }
      case 'action': {
        const request = { ...bodyOf(frame), session_id: sessionId };
        const accepted = await this.acceptAction.execute(caller, request);
        return { type: 'reply.accepted', request_id, ...accepted };
      }
      case 'cancel': {
        const request = { ...bodyOf(frame), session_id: sessionId };
        const cancelled = await this.cancelTurn.execute(caller, request);
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
