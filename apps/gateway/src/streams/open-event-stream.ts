import { Inject, Injectable } from '@nestjs/common';
import { EventStreamResponse } from '@soma/http';
import type { FastifyReply } from 'fastify';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.ts';
import { EventStreamSubscriber } from './event-stream-subscriber.ts';
import { SessionStreams } from './session-streams.ts';
import { StreamAccess, type StreamRequest } from './stream-access.ts';
import { StreamWatch } from './stream-watch.ts';

/** Opens a stream of server-sent events. */
@Injectable()
export class OpenEventStream {
  constructor(
    private readonly access: StreamAccess,
    private readonly streams: SessionStreams,
    private readonly watch: StreamWatch,
    @Inject(GATEWAY_CONFIG) private readonly config: Pick<GatewayConfig, 'STREAM_BUFFER_BYTES'>,
  ) {}

  /** @throws {@link Problem} as {@link StreamAccess.admit}, and 503 `restarting` */
  async execute(request: StreamRequest, reply: FastifyReply): Promise<void> {
    const { asked, start } = await this.access.admit(request);
    this.streams.checkOpen();
    if (reply.raw.destroyed) {
      // The client has left meanwhile: nothing would ever say that its stream is closed.
      return;
    }
    const response = new EventStreamResponse(reply);
    const limit = this.config.STREAM_BUFFER_BYTES;
    const subscriber = new EventStreamSubscriber(start, response, limit);
    response.onClose(() => {
      this.streams.remove(subscriber);
      this.watch.forget(subscriber);
    });
    this.watch.watch(subscriber, asked);
    this.streams.add(subscriber);
  }
}
