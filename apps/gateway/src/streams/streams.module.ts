import { Inject, Module, type OnModuleInit } from '@nestjs/common';
import { conversationOutbound } from '@soma/contracts';
import { HealthChecks } from '@soma/http';
import { BroadcastReader, KafkaConnection } from '@soma/messaging';
import { MessagesModule } from '../messages/messages.module.ts';
import { SessionsApiModule } from '../sessions/sessions-api.module.ts';
import { OpenEventStream } from './open-event-stream.ts';
import { OpenSocketStream } from './open-socket-stream.ts';
import { SessionCommands } from './session-commands.ts';
import { SessionStreams } from './session-streams.ts';
import { StreamAccess } from './stream-access.ts';
import { StreamSockets } from './stream-sockets.ts';
import { StreamWatch } from './stream-watch.ts';
import { StreamsController } from './streams.controller.ts';

/** So far back reading begins, for streams of answers that are already under way. */
const BEGIN_BACK_MS = 15_000;

/** Streams of sessions' events: server-sent and over WebSocket. */
@Module({
  imports: [MessagesModule, SessionsApiModule],
  controllers: [StreamsController],
  providers: [
    OpenEventStream,
    OpenSocketStream,
    SessionCommands,
    SessionStreams,
    StreamAccess,
    StreamSockets,
    StreamWatch,
    {
      provide: BroadcastReader,
      useFactory: (connection: KafkaConnection, streams: SessionStreams) =>
        new BroadcastReader({
          connection,
          topic: conversationOutbound.name,
          beginBackMs: BEGIN_BACK_MS,
          onRecord: (key, value, headers) => {
            streams.hear(key, value, headers);
          },
          onAssigned: () => {
            streams.compareWithTimeline();
          },
        }),
      inject: [KafkaConnection, SessionStreams],
    },
  ],
})
export class StreamsModule implements OnModuleInit {
  constructor(
    private readonly health: HealthChecks,
    @Inject(BroadcastReader) private readonly reader: BroadcastReader,
  ) {}

  /** A stream that is opened before the reader has its positions could miss text. */
  onModuleInit(): void {
    this.health.addReadiness('streams', () => this.reader.isReady);
  }
}
